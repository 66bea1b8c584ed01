"""What all suites have in common: nobody keeps half of a contract."""


def refuse_replaced(suite: type, subclass: type) -> None:
    """Refuse a class of tests that replaces one of the suite that it inherits.

    Raises:
        TypeError: an adapter that needs another test keeps another contract.
    """
    tests = {name: test for name, test in vars(suite).items() if name.startswith("test_")}
    replaced = [name for name, test in tests.items() if getattr(subclass, name) is not test]
    if replaced:
        msg = f"{subclass.__name__} replaces {', '.join(replaced)}; add tests of other names"
        raise TypeError(msg)
