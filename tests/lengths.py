"""How long random histories are: quick ones in every run, long ones on demand."""

import os

LONG = os.environ.get("ISTHMUS_TEST_LONG") == "1"
