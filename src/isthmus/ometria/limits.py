"""The sizes Ometria allows, and where each number comes from (https://docs.ometria.com/docs)."""

RECORDS_PER_PUSH = 100
"""Records in one push call, all of one type (https://docs.ometria.com/docs/push-endpoint)."""

RECORD_BYTES = 60_000
"""One record. The page says 60 KB; we read it as the smaller of 60,000 and 61,440
(https://docs.ometria.com/docs/push-endpoint: "Payload invalid: Record is too large")."""

PROPERTIES_BYTES = 999
"""All custom properties of one record as JSON, keys included: "< 1 KB (1000 characters)"
(https://docs.ometria.com/docs/push-endpoint). We count UTF-8 bytes, never fewer than characters. ASSUMED: the
properties of an order's lines count towards the order's."""

EVENT_TYPE_CHARS = 32
"""A longer event type is cut by Ometria, so that two could become one
(https://support.ometria.com/hc/en-gb/articles/360011171077)."""

ERRORS_PER_POLL = 100
"""`GET /push/_errors` knows the newest hundred and nothing older (https://docs.ometria.com/docs/list-errors)."""

PAGE_SIZE = 250
"""The most a list answers at once; 10 when nobody asks (https://docs.ometria.com/docs/ometria-data-api-introduction)."""

PUSHES_PER_SECOND = 4
"""The older of two published defaults, the newer being 8; an account's own number is a setting
(https://docs.ometria.com/docs/ometria-data-api-introduction)."""

READS_PER_SECOND = 4
"""Everything that is not a push (https://docs.ometria.com/docs/ometria-data-api-introduction)."""

MERGES_PER_MINUTE = 1
"""`POST /merge-profile` (https://docs.ometria.com/docs/ometria-data-api-introduction)."""

MERGED_AT_ONCE = 5
"""Named in one call beside the survivor (https://docs.ometria.com/docs/merge-profiles)."""

QUEUED_RECORDS = 50_000
"""Records waiting inside Ometria before it answers 429
(https://support.ometria.com/support/solutions/articles/7000045354-push-api)."""
