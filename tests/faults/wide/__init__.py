"""A hundred destinations, and changes of profiles that nobody has seen, as fast as they come: does all get through?"""
