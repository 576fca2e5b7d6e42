"""Whose turn it is: priority, then the tenant that runs least for its weight, then the least served, then the oldest."""

from __future__ import annotations

from dataclasses import dataclass

from shared.ids import PipelineId, TaskId, TenantId


@dataclass(frozen=True)
class Head:
    """The first task of one line, with what decides between lines."""

    task_id: TaskId
    tenant_id: TenantId
    pipeline_id: PipelineId
    priority: int
    running: int
    weight: int
    served: int


def turn(head: Head) -> tuple[int, float, float, str]:
    """Sorts heads into the order in which they are tried; ids sort by age."""
    return (-head.priority, head.running / head.weight, head.served / head.weight, head.task_id)
