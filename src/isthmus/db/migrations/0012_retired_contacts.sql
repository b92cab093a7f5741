-- kind: expand
-- compatible from: 0011

-- A retired contact belongs to a customer who is gone from the shop, or has no address there any more: the opt-out that
-- it carries is nobody's statement, and is withdrawn when somebody else has the address.
ALTER TABLE outbox
    ADD COLUMN is_retired boolean NOT NULL DEFAULT false,
    ADD COLUMN was_opted_in_sms boolean NOT NULL DEFAULT false;  -- ever sent as opted in by text message

UPDATE outbox o SET is_retired = true FROM link l
WHERE o.kind = 'contact' AND o.subject LIKE 'customer:%' AND o.connection = l.connection AND o.store = l.store
  AND l.customer_id = split_part(o.subject, ':', 2)::bigint AND l.gone_at IS NOT NULL;

UPDATE outbox o SET was_opted_in_sms = true
WHERE o.kind = 'contact' AND o.sent IS NOT NULL AND o.subject LIKE 'customer:%'
  AND EXISTS (SELECT FROM consent_claim c
              WHERE c.connection = o.connection AND c.store = o.store AND c.channel = 'sms' AND c.state = 'SUBSCRIBED'
                AND c.customer_id = split_part(o.subject, ':', 2)::bigint);

-- Only what is being written waits for it, as long as one look through the table takes.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX outbox_retired ON outbox (connection, address) WHERE is_retired;
