"""What differs between two snapshots, and which change explains a finding. Pure: facts in, a `Difference` out.

tree.py compares facts and puts some of them back; changes.py gathers them into what a user would call one change;
causes.py judges again with a change put back, which is how a change is proven to explain a finding.
"""
