"""How a policy is kept under the limit: one file a method."""
