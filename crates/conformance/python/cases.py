"""The form of a case in a file of vectors."""


def in_file(case):
    """A case whose fields of the suite are beside its name, as it is in a file: they are under `input`."""
    ours = ("name", "requirements", "accept", "reject")
    before = {key: case[key] for key in ours[:2]}
    after = {key: case[key] for key in ours[2:] if key in case}
    return {**before, "input": {key: value for key, value in case.items() if key not in ours}, **after}
