"""What the services need of the outside. Each port has an adapter on a real part and a fake in the tests."""
