"""Explanations in bulk with Apache Beam, on this machine or wherever Beam runs."""

from tfxai3d.serve.bulk.job import ExplainClouds as ExplainClouds
from tfxai3d.serve.bulk.job import Job as Job
from tfxai3d.serve.bulk.job import Summary as Summary
from tfxai3d.serve.bulk.job import explain_bulk as explain_bulk
from tfxai3d.serve.bulk.sinks import commonest_reason as commonest_reason
