"""What every implementation of a port must do: the fakes' and the real adapters' tests inherit from these classes."""
