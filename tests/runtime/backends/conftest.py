"""A file whose function bodies compute something else than the definitions."""

import pytest


@pytest.fixture
def wrong_bodies(network):
    """A network whose IntegrateFire body fires above theta only."""
    model = network()
    fire = next(f for f in model.functions if f.name == "IntegrateFire")
    compared = [n for n in all_nodes(fire.node) if n.op_type == "GreaterOrEqual"]
    assert compared
    for node in compared:
        node.op_type = "Greater"
    return model


def all_nodes(nodes):
    """Nodes, and those of the graphs within them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from all_nodes(attribute.g.node)
