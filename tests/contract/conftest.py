"""What contract tests may ask for: a fresh neighbour."""

import pytest
from ometria_account import OmetriaAccount


@pytest.fixture
def account() -> OmetriaAccount:
    return OmetriaAccount()
