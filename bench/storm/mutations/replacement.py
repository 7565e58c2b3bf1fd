"""How the product is broken: one of its names comes to mean something else."""


def replace(owner: object, name: str, by: object) -> None:
    """Only what is there can be replaced: a renamed method must not make a mutation harmless."""
    getattr(owner, name)
    setattr(owner, name, by)
