"""The whole system under deterministic simulation: what it answers and how is told in `campaign.world`."""
