"""The storm: a repeatable proof that no money is lost or doubled when things break."""
