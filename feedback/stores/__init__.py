"""The store's methods by topic; each is one transaction. `feedback.store` puts them together."""
