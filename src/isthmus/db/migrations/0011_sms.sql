-- A second contact of a customer, in collections that take nothing but the permission by text message.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('product', 'contact', 'sms', 'order', 'moment'));
