def session(said, **o): raise NotImplementedError
