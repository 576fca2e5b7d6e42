"""The services that handlers call, by the key under which the application keeps them."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from controlplane.auth.access_keys import AccessKeys
from controlplane.auth.bearer import Bearers
from controlplane.http.connections import Guard
from controlplane.http.streams import Streams
from controlplane.services.audit import Audit
from controlplane.services.buckets import Buckets
from controlplane.services.clusters import Clusters
from controlplane.services.couriers import Courier
from controlplane.services.dispatch import Dispatcher
from controlplane.services.events import Events
from controlplane.services.health import Health
from controlplane.services.jobs import Jobs
from controlplane.services.leases import Leases
from controlplane.services.logs import Logs
from controlplane.services.pages import Pages
from controlplane.services.pipelines import Pipelines
from controlplane.services.presets import Presets
from controlplane.services.publishing import Publisher
from controlplane.services.quotas import Quotas
from controlplane.services.tenants import Tenants
from controlplane.services.topics import TopicKeys, Topics
from controlplane.services.users import Users
from controlplane.services.waiting import Reasons
from controlplane.services.webhooks import Webhooks
from controlplane.settings import Settings
from shared.clock import Clock

ACCESS_KEYS: Final = web.AppKey("access_keys", AccessKeys)
AUDIT: Final = web.AppKey("audit", Audit)
BEARERS: Final = web.AppKey("bearers", Bearers)
BUCKETS: Final = web.AppKey("buckets", Buckets)
CLOCK: Final = web.AppKey("clock", Clock)
CLUSTERS: Final = web.AppKey("clusters", Clusters)
COURIER: Final = web.AppKey("courier", Courier)
DISPATCHER: Final = web.AppKey("dispatcher", Dispatcher)
EVENTS: Final = web.AppKey("events", Events)
GUARD: Final = web.AppKey("guard", Guard)
HEALTH: Final = web.AppKey("health", Health)
JOBS: Final = web.AppKey("jobs", Jobs)
LEASES: Final = web.AppKey("leases", Leases)
LOGS: Final = web.AppKey("logs", Logs)
MAX_DOCUMENT: Final = web.AppKey("max_document", int)
PAGES: Final = web.AppKey("pages", Pages)
PIPELINES: Final = web.AppKey("pipelines", Pipelines)
PRESETS: Final = web.AppKey("presets", Presets)
PUBLISHER: Final = web.AppKey("publisher", Publisher)
REASONS: Final = web.AppKey("reasons", Reasons)
QUOTAS: Final = web.AppKey("quotas", Quotas)
SETTINGS: Final = web.AppKey("settings", Settings)
STREAMS: Final = web.AppKey("streams", Streams)
TENANTS: Final = web.AppKey("tenants", Tenants)
TOPICS: Final = web.AppKey("topics", Topics)
TOPIC_KEYS: Final = web.AppKey("topic_keys", TopicKeys)
USERS: Final = web.AppKey("users", Users)
WEBHOOKS: Final = web.AppKey("webhooks", Webhooks)
