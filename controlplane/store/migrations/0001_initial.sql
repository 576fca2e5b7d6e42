-- Times are Unix milliseconds. Documents are JSON text that only the program reads.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- `ended` and `failed` count attempts since `ended_since`: a tenant of which so many fail is doubted.
CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  weight BIGINT NOT NULL DEFAULT 1 CHECK (weight > 0),
  queued BIGINT NOT NULL DEFAULT 0 CHECK (queued >= 0),
  running BIGINT NOT NULL DEFAULT 0 CHECK (running >= 0),
  running_cost BIGINT NOT NULL DEFAULT 0 CHECK (running_cost >= 0),
  served BIGINT NOT NULL DEFAULT 0,
  priority_ceiling BIGINT NOT NULL DEFAULT 0,
  max_queued BIGINT,
  max_running BIGINT,
  max_outputs BIGINT,
  rates TEXT NOT NULL DEFAULT '{{}}',
  created_at BIGINT NOT NULL,
  suspended_at BIGINT,
  ended BIGINT NOT NULL DEFAULT 0,
  failed BIGINT NOT NULL DEFAULT 0,
  ended_since BIGINT NOT NULL DEFAULT 0,
  is_doubted BOOLEAN NOT NULL GENERATED ALWAYS AS (ended >= 20 AND failed * 2 >= ended) STORED
);

-- What a tenant may have besides jobs that wait or run, and what is used of it. `month` is that of quotas that begin anew.
CREATE TABLE quotas (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  quota TEXT NOT NULL,
  most BIGINT CHECK (most >= 0),
  used BIGINT NOT NULL DEFAULT 0 CHECK (used >= 0),
  month TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, quota)
);

-- Uploads that have begun and not ended: what is set aside for each.
CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  bytes BIGINT NOT NULL,
  at BIGINT NOT NULL
);

CREATE TABLE usage (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  day TEXT NOT NULL,
  complete BIGINT NOT NULL,
  error BIGINT NOT NULL,
  canceled BIGINT NOT NULL,
  output_ms BIGINT NOT NULL,
  bytes_in BIGINT NOT NULL,
  bytes_out BIGINT NOT NULL,
  encoder_ms BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, day)
);

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  tenant_id TEXT REFERENCES tenants (id),
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  permissions TEXT NOT NULL DEFAULT '[]',
  created_at BIGINT NOT NULL
);
CREATE INDEX users_by_tenant ON users (tenant_id, id);

-- Of users with limits of their own: whoever has no row is bound by the tenant's alone, and is not counted.
CREATE TABLE user_quotas (
  user_id TEXT PRIMARY KEY REFERENCES users (id),
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  max_queued BIGINT CHECK (max_queued >= 0),
  max_running BIGINT CHECK (max_running >= 0),
  queued BIGINT NOT NULL CHECK (queued >= 0),
  running BIGINT NOT NULL CHECK (running >= 0)
);
CREATE INDEX user_quotas_by_tenant ON user_quotas (tenant_id, user_id);

-- A bearer's secret is kept as its hash; that of a key which signs must be known again, and is sealed.
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  tenant_id TEXT REFERENCES tenants (id),
  label TEXT NOT NULL,
  secret_hash TEXT,
  sealed_secret TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT,
  CHECK ((secret_hash IS NULL) <> (sealed_secret IS NULL))
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, id);
CREATE INDEX api_keys_by_user ON api_keys (user_id);

CREATE TABLE clusters (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'Active',
  created_at BIGINT NOT NULL
);

CREATE TABLE nodes (
  id TEXT PRIMARY KEY,
  cluster_id TEXT NOT NULL REFERENCES clusters (id),
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  credential_hash TEXT NOT NULL,
  labels TEXT NOT NULL DEFAULT '{{}}',
  reprobe_asked_at BIGINT,
  boot_id TEXT,
  facts TEXT,
  free TEXT,
  last_seen_at BIGINT,
  trust TEXT NOT NULL DEFAULT 'Good',
  trusted_since BIGINT NOT NULL DEFAULT 0,
  booted_at BIGINT NOT NULL DEFAULT 0,
  ancestors TEXT NOT NULL DEFAULT '[]',
  rival_boot TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX nodes_by_cluster ON nodes (cluster_id, id);

CREATE TABLE node_events (
  id {serial},
  node_id TEXT NOT NULL,
  at BIGINT NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL
);
CREATE INDEX node_events_by_node ON node_events (node_id, id);
CREATE INDEX node_faults ON node_events (node_id, at) WHERE type = 'fault';

CREATE TABLE join_tokens (
  secret_hash TEXT PRIMARY KEY,
  cluster_id TEXT NOT NULL REFERENCES clusters (id),
  labels TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);

CREATE TABLE buckets (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  root TEXT {by_bytes} NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
CREATE INDEX buckets_by_root ON buckets (root);

-- Directories of buckets that were forgotten: what lies there half-way is still to be swept away.
CREATE TABLE forgotten_roots (
  root TEXT PRIMARY KEY,
  at BIGINT NOT NULL
);

CREATE TABLE pipelines (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  name TEXT NOT NULL,
  input_bucket TEXT NOT NULL,
  output_bucket TEXT NOT NULL,
  thumbnail_bucket TEXT NOT NULL,
  notifications TEXT NOT NULL DEFAULT '{{}}',
  terms TEXT NOT NULL DEFAULT '{{}}',
  status TEXT NOT NULL,
  version BIGINT NOT NULL DEFAULT 1,
  created_at BIGINT NOT NULL
);
CREATE INDEX pipelines_by_tenant ON pipelines (tenant_id, id);

CREATE TABLE presets (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  settings TEXT NOT NULL,
  terms TEXT NOT NULL DEFAULT '{{}}',
  created_at BIGINT NOT NULL
);
CREATE INDEX presets_by_tenant ON presets (tenant_id, id);

-- `size` counts the characters of `document` and `result`: pages of lists have room for so many. It stands before them, since
-- SQLite reads a row from its beginning.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  pipeline_id TEXT NOT NULL,
  cluster_id TEXT,
  status TEXT NOT NULL,
  size BIGINT NOT NULL,
  document TEXT NOT NULL,
  result TEXT,
  retry_of TEXT,
  retried_by TEXT,
  submitted_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT
);
CREATE INDEX jobs_by_tenant ON jobs (tenant_id, id);
CREATE INDEX jobs_by_status ON jobs (tenant_id, status, id);
CREATE INDEX jobs_failed ON jobs (tenant_id, finished_at, id) WHERE status = 'Error' AND retried_by IS NULL;
CREATE INDEX jobs_by_pipeline ON jobs (tenant_id, pipeline_id, status, id);
CREATE INDEX jobs_by_cluster ON jobs (tenant_id, cluster_id, status, id) WHERE cluster_id IS NOT NULL;
CREATE INDEX jobs_by_pipeline_and_cluster ON jobs (tenant_id, pipeline_id, cluster_id, status, id) WHERE cluster_id IS NOT NULL;

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  job_id TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  pipeline_id TEXT NOT NULL,
  need TEXT NOT NULL,
  state TEXT NOT NULL,
  priority BIGINT NOT NULL,
  presets TEXT NOT NULL,
  files TEXT NOT NULL,
  max_attempts BIGINT NOT NULL,
  attempt BIGINT NOT NULL DEFAULT 0,
  spent BIGINT NOT NULL DEFAULT 0,
  node_faults BIGINT NOT NULL DEFAULT 0,
  failed_on TEXT NOT NULL DEFAULT '[]',
  killed_on TEXT NOT NULL DEFAULT '[]',
  publish_by BIGINT,
  not_before BIGINT NOT NULL DEFAULT 0,
  node_id TEXT,
  boot_id TEXT,
  lease_id TEXT,
  leased_at BIGINT,
  lease_expires_at BIGINT,
  granted TEXT,
  progress TEXT,
  noted BIGINT NOT NULL DEFAULT 0,
  report TEXT,
  ended_lease TEXT,
  ended_report TEXT,
  month TEXT,
  output_ms BIGINT NOT NULL DEFAULT 0,
  stored_bytes BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX tasks_by_job ON tasks (job_id);
CREATE INDEX tasks_waiting ON tasks (pipeline_id, need, user_id, priority DESC, id) WHERE state = 'Waiting';
CREATE INDEX tasks_delayed ON tasks (not_before) WHERE state = 'Waiting' AND not_before > 0;
CREATE INDEX tasks_leased ON tasks (node_id, id) WHERE state IN ('Leased', 'Running', 'Stopping');
CREATE INDEX tasks_expiring ON tasks (lease_expires_at) WHERE state IN ('Leased', 'Running', 'Stopping');
CREATE INDEX tasks_publishing ON tasks (id) WHERE state = 'Publishing';
CREATE INDEX tasks_by_month ON tasks (tenant_id, month) WHERE month IS NOT NULL;

-- One row per line of equal tasks of one user: who waits is found without looking at the tasks of paused pipelines, or of
-- tenants and users that run all they may. A tenant's lanes stand in a ring; their places are spread over it, whatever their
-- numbers are.
CREATE TABLE lanes (
  id {serial},
  pipeline_id TEXT NOT NULL,
  need TEXT NOT NULL,
  user_id TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  waiting BIGINT NOT NULL CHECK (waiting >= 0),
  place BIGINT NOT NULL GENERATED ALWAYS AS (id * 742938285 % 2147483647) STORED,
  UNIQUE (pipeline_id, need, user_id)
);
CREATE INDEX lanes_in_ring ON lanes (tenant_id, place) WHERE waiting > 0;

-- Tenants for whom somebody waits and who may run more: however many lanes they have, each takes one look at an index.
CREATE VIEW contenders (tenant_id) AS
WITH RECURSIVE whose (tenant_id) AS (
  SELECT MIN(tenant_id) FROM lanes WHERE waiting > 0
  UNION ALL
  SELECT (SELECT MIN(l.tenant_id) FROM lanes l WHERE l.waiting > 0 AND l.tenant_id > h.tenant_id) FROM whose h WHERE h.tenant_id IS NOT NULL)
SELECT n.id FROM whose h JOIN tenants n ON n.id = h.tenant_id
 WHERE n.suspended_at IS NULL AND (n.max_running IS NULL OR n.running < n.max_running) AND (n.running = 0 OR NOT n.is_doubted);

CREATE TABLE idempotency (
  name TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  object_id TEXT NOT NULL,
  claimed_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

CREATE TABLE events (
  id {serial},
  tenant_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  at BIGINT NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL
);
CREATE INDEX events_by_job ON events (job_id, id);
CREATE INDEX events_by_tenant ON events (tenant_id, id);

-- The end of what each attempt said. `said` counts all of it, so that a reader knows what it lacks.
CREATE TABLE attempt_logs (
  task_id TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  job_id TEXT NOT NULL,
  node_id TEXT NOT NULL,
  said BIGINT NOT NULL,
  text TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (task_id, attempt)
);
CREATE INDEX attempt_logs_by_job ON attempt_logs (job_id, attempt);

-- Where tenants are told of what happens to their jobs: their own webhooks, and those behind the topics of their pipelines.
-- `secrets` are sealed; `base_url` is where endpoints of topics reach this service.
CREATE TABLE endpoints (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  kind TEXT NOT NULL,
  arn TEXT,
  url TEXT NOT NULL,
  description TEXT NOT NULL,
  types TEXT NOT NULL,
  secrets TEXT NOT NULL,
  base_url TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  asked_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX endpoints_by_tenant ON endpoints (tenant_id, kind, id);
CREATE UNIQUE INDEX topics ON endpoints (tenant_id, arn, url) WHERE arn IS NOT NULL;

-- The outbox: written with what it tells of, sent afterwards, and kept as the log of what was sent. `due_at` is when it is
-- tried next; NULL while it stands behind another message of its job. `tries` are those since `begun_at`.
CREATE TABLE deliveries (
  number {serial},
  id TEXT NOT NULL UNIQUE,
  endpoint_id TEXT NOT NULL,
  job_id TEXT,
  type TEXT NOT NULL,
  data TEXT NOT NULL,
  at BIGINT NOT NULL,
  state TEXT NOT NULL,
  due_at BIGINT,
  begun_at BIGINT NOT NULL,
  tries BIGINT NOT NULL DEFAULT 0,
  attempts TEXT NOT NULL DEFAULT '[]',
  ended_at BIGINT
);
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_id, number);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, due_at, number) WHERE state = 'Pending' AND due_at IS NOT NULL;
CREATE INDEX deliveries_pending ON deliveries (number) WHERE state = 'Pending';
CREATE INDEX deliveries_in_line ON deliveries (job_id, endpoint_id, number) WHERE state = 'Pending';

-- Without an index but its key: every call that changes something adds a row.
CREATE TABLE audit (
  id {serial},
  at BIGINT NOT NULL,
  user_id TEXT NOT NULL,
  role TEXT NOT NULL,
  tenant_id TEXT,
  address TEXT NOT NULL,
  request_id TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL
);

CREATE TABLE audit_seals (
  id BIGINT PRIMARY KEY,
  hash TEXT NOT NULL
);
