"""Studies in files, in and out, done from outside: a client of the public GraphQL API with keys of its own.

True here: what is read and written is pure (`gateway.trials`: tables, definitions, ODM, registrations), and everything
else is asked of the gateway as any client would ask; what is signed is looked at first. No error, report or line of
progress holds a value of a table, or a subject's key.
"""
