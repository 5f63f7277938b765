"""How long the tests wait for what must come."""

#: Seconds: far more than anything takes on a machine that does a dozen other things. Waiting costs nothing where all is
#: well, and a test that gives up because the machine is busy tells nothing. What tests call endless sleeps for longer.
PATIENCE = 100.0
