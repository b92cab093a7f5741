"""What a reconciliation found, as people, spreadsheets and programs want it: a page, sheets, one document."""
