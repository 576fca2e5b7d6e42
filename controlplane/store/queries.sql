-- Every statement of the control plane. `:name` is a parameter; `{task:accept}` are the states from which that event may
-- come, read off the lifecycle tables. LIKE takes no parameter alone: SQLite would prepare such a statement anew at every call.

-- name: keep_meta
INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING

-- name: set_meta
INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- name: meta
SELECT value FROM meta WHERE key = :key


-- Tenants, users, keys

-- name: insert_tenant
INSERT INTO tenants (id, name, weight, created_at) VALUES (:id, :name, :weight, :now) ON CONFLICT DO NOTHING RETURNING id

-- name: tenant
SELECT * FROM tenants WHERE id = :id

-- name: tenants
SELECT * FROM tenants WHERE id > :after ORDER BY id LIMIT :size

-- name: update_tenant
UPDATE tenants SET name = :name, weight = :weight, priority_ceiling = :priority_ceiling, rates = :rates WHERE id = :id
   AND NOT EXISTS (SELECT 1 FROM tenants WHERE name = :name AND id <> :id)
RETURNING *

-- name: suspend_tenant
UPDATE tenants SET suspended_at = COALESCE(suspended_at, :now) WHERE id = :id RETURNING *

-- name: resume_tenant
UPDATE tenants SET suspended_at = NULL, ended = 0, failed = 0 WHERE id = :id RETURNING *

-- name: insert_user
INSERT INTO users (id, tenant_id, name, role, permissions, created_at)
VALUES (:id, :tenant_id, :name, :role, :permissions, :now)

-- name: user
SELECT * FROM users WHERE id = :id AND tenant_id IS NOT DISTINCT FROM :tenant_id

-- name: users
SELECT * FROM users WHERE tenant_id IS NOT DISTINCT FROM :tenant_id AND id > :after ORDER BY id LIMIT :size

-- name: update_user
UPDATE users SET name = :name, role = :role, permissions = :permissions
 WHERE id = :id AND tenant_id IS NOT DISTINCT FROM :tenant_id

-- name: delete_user
DELETE FROM users WHERE id = :id AND tenant_id IS NOT DISTINCT FROM :tenant_id RETURNING id

-- name: has_manager
-- Whether anybody is left who may let others in.
SELECT 1 FROM users WHERE tenant_id IS NOT DISTINCT FROM :tenant_id AND role IN ('operator', 'tenant_admin') LIMIT 1

-- name: delete_keys_of_user
DELETE FROM api_keys WHERE user_id = :user_id RETURNING revoked_at

-- name: insert_key
INSERT INTO api_keys (id, user_id, tenant_id, label, secret_hash, sealed_secret, created_at, expires_at)
VALUES (:id, :user_id, :tenant_id, :label, :secret_hash, :sealed_secret, :now, :expires_at)

-- name: key_holder
SELECT k.secret_hash, k.sealed_secret, k.expires_at, k.revoked_at, k.user_id, k.tenant_id, u.role, u.permissions, n.rates, n.suspended_at
  FROM api_keys k JOIN users u ON u.id = k.user_id LEFT JOIN tenants n ON n.id = k.tenant_id WHERE k.id = :id

-- name: admin_holder
SELECT NULL AS secret_hash, NULL AS sealed_secret, NULL AS expires_at, NULL AS revoked_at,
       u.id AS user_id, u.tenant_id, u.role, u.permissions, n.rates, n.suspended_at
  FROM users u JOIN tenants n ON n.id = u.tenant_id
 WHERE u.tenant_id = :tenant_id AND u.role = 'tenant_admin' ORDER BY u.id LIMIT 1

-- name: key
SELECT * FROM api_keys WHERE id = :id AND tenant_id IS NOT DISTINCT FROM :tenant_id

-- name: keys
SELECT * FROM api_keys WHERE tenant_id IS NOT DISTINCT FROM :tenant_id AND id > :after
   AND (CAST(:user_id AS TEXT) IS NULL OR user_id = :user_id)
 ORDER BY id LIMIT :size

-- name: revoke_key
UPDATE api_keys SET revoked_at = :now WHERE id = :id AND tenant_id IS NOT DISTINCT FROM :tenant_id AND revoked_at IS NULL RETURNING id

-- name: first_admin
SELECT id FROM users WHERE tenant_id = :tenant_id AND role = 'tenant_admin' ORDER BY id LIMIT 1


-- Quotas and usage

-- name: insert_quota
INSERT INTO quotas (tenant_id, quota, most) VALUES (:tenant_id, :quota, :most)

-- name: quotas
SELECT * FROM quotas WHERE tenant_id = :tenant_id

-- name: quota
SELECT * FROM quotas WHERE tenant_id = :tenant_id AND quota = :quota

-- name: set_tenant_limits
UPDATE tenants SET max_queued = :max_queued, max_running = :max_running, max_outputs = :max_outputs WHERE id = :id RETURNING id

-- name: set_limit
UPDATE quotas SET most = :most WHERE tenant_id = :tenant_id AND quota = :quota

-- name: take_quota
UPDATE quotas SET used = used + :amount
 WHERE tenant_id = :tenant_id AND quota = :quota AND (most IS NULL OR used + :amount <= most)
RETURNING used

-- name: give_back_quota
UPDATE quotas SET used = used - :amount WHERE tenant_id = :tenant_id AND quota = :quota

-- name: lower_quota
-- Files that were put into a bucket by other means are deleted as well, and were never counted.
UPDATE quotas SET used = CASE WHEN used > :amount THEN used - :amount ELSE 0 END WHERE tenant_id = :tenant_id AND quota = :quota

-- name: upload
SELECT bytes FROM uploads WHERE id = :id

-- name: put_upload
INSERT INTO uploads (id, tenant_id, bytes, at) VALUES (:id, :tenant_id, :bytes, :now)
ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes, at = excluded.at

-- name: delete_upload
DELETE FROM uploads WHERE id = :id

-- name: delete_stale_uploads
DELETE FROM uploads WHERE at < :before RETURNING tenant_id, bytes

-- name: count_minutes
-- A new month begins at nothing. One that is over, for a clock that was set back, is not begun again.
UPDATE quotas SET used = CASE WHEN month < :month THEN 0 ELSE used END + :ms,
       month = CASE WHEN month < :month THEN :month ELSE month END
 WHERE tenant_id = :tenant_id AND quota = 'output_minutes'
   AND (most IS NULL OR CASE WHEN month < :month THEN 0 ELSE used END + :least <= most)
RETURNING month

-- name: add_minutes
-- Whatever may be left. Of a month that is over nothing is counted any more.
UPDATE quotas SET used = CASE WHEN month < :month THEN 0 ELSE used END + CASE WHEN month > :month THEN 0 ELSE :ms END,
       month = CASE WHEN month < :month THEN :month ELSE month END
 WHERE tenant_id = :tenant_id AND quota = 'output_minutes'

-- name: settle_minutes
-- Of a month that is over nothing is counted any more.
UPDATE quotas SET used = used + :change WHERE tenant_id = :tenant_id AND quota = 'output_minutes' AND month = :month

-- name: set_minutes
UPDATE tasks SET month = :month, output_ms = :output_ms WHERE id = :id

-- name: add_usage
INSERT INTO usage (tenant_id, day, complete, error, canceled, output_ms, bytes_in, bytes_out, encoder_ms)
VALUES (:tenant_id, :day, :complete, :error, :canceled, :output_ms, :bytes_in, :bytes_out, :encoder_ms)
ON CONFLICT (tenant_id, day) DO UPDATE
   SET complete = usage.complete + excluded.complete, error = usage.error + excluded.error,
       canceled = usage.canceled + excluded.canceled, output_ms = usage.output_ms + excluded.output_ms,
       bytes_in = usage.bytes_in + excluded.bytes_in, bytes_out = usage.bytes_out + excluded.bytes_out,
       encoder_ms = usage.encoder_ms + excluded.encoder_ms

-- name: usage
SELECT * FROM usage WHERE tenant_id = :tenant_id AND day >= :since AND day <= :until ORDER BY day

-- name: set_user_limits
-- Who had none is counted from here on, beginning with what there is.
INSERT INTO user_quotas (user_id, tenant_id, max_queued, max_running, queued, running)
SELECT :user_id, :tenant_id, :max_queued, :max_running, r.live - r.running, r.running
  FROM (SELECT
       (SELECT COUNT(*) FROM jobs
         WHERE tenant_id = :tenant_id AND status IN ('Submitted', 'Progressing') AND user_id = :user_id) AS live,
       (SELECT COUNT(*) FROM tasks WHERE user_id = :user_id AND state IN ('Leased', 'Running', 'Stopping'))
       + (SELECT COUNT(*) FROM tasks WHERE user_id = :user_id AND state = 'Publishing') AS running) r
 WHERE TRUE
ON CONFLICT (user_id) DO UPDATE SET max_queued = excluded.max_queued, max_running = excluded.max_running

-- name: delete_user_limits
DELETE FROM user_quotas WHERE user_id = :user_id

-- name: user_quotas
SELECT * FROM user_quotas WHERE user_id = :user_id

-- name: set_tenant_counters
UPDATE tenants SET queued = :queued, running = :running WHERE id = :tenant_id

-- name: set_used
UPDATE quotas SET used = :used WHERE tenant_id = :tenant_id AND quota = :quota

-- name: set_user_counters
UPDATE user_quotas SET queued = :queued, running = :running WHERE user_id = :user_id

-- name: empty_lanes
UPDATE lanes SET waiting = 0 WHERE tenant_id = :tenant_id

-- name: fill_lanes
INSERT INTO lanes (pipeline_id, need, user_id, tenant_id, waiting)
SELECT pipeline_id, need, user_id, tenant_id, COUNT(*) FROM tasks
 WHERE pipeline_id IN (SELECT id FROM pipelines WHERE tenant_id = :tenant_id) AND state = 'Waiting'
 GROUP BY pipeline_id, need, user_id, tenant_id
ON CONFLICT (pipeline_id, need, user_id) DO UPDATE SET waiting = excluded.waiting

-- name: user_counters
-- Beside each counter what a recount finds.
SELECT user_id, queued, running, live - found_running AS found_queued, found_running
  FROM (SELECT q.user_id, q.queued, q.running,
       (SELECT COUNT(*) FROM jobs j
         WHERE j.tenant_id = q.tenant_id AND j.status IN ('Submitted', 'Progressing') AND j.user_id = q.user_id) AS live,
       (SELECT COUNT(*) FROM tasks t WHERE t.user_id = q.user_id AND t.state IN ('Leased', 'Running', 'Stopping'))
       + (SELECT COUNT(*) FROM tasks t WHERE t.user_id = q.user_id AND t.state = 'Publishing') AS found_running
  FROM user_quotas q WHERE q.tenant_id = :tenant_id) r

-- name: counters
SELECT n.queued, n.running, (SELECT COALESCE(SUM(waiting), 0) FROM lanes WHERE tenant_id = n.id) AS waiting,
       minutes.used AS output_ms, minutes.month,
       (SELECT used FROM quotas WHERE tenant_id = n.id AND quota = 'presets') AS presets,
       (SELECT used FROM quotas WHERE tenant_id = n.id AND quota = 'pipelines') AS pipelines,
       (SELECT used FROM quotas WHERE tenant_id = n.id AND quota = 'buckets') AS buckets,
       (SELECT used FROM quotas WHERE tenant_id = n.id AND quota = 'keys') AS keys,
       (SELECT used FROM quotas WHERE tenant_id = n.id AND quota = 'webhooks') AS webhooks
  FROM tenants n JOIN quotas minutes ON minutes.tenant_id = n.id AND minutes.quota = 'output_minutes'
 WHERE n.id = :tenant_id

-- name: recount
-- By indices alone, so that old jobs cost nothing: what has not ended and is not held by a node waits.
SELECT (SELECT COUNT(*) FROM jobs WHERE tenant_id = :tenant_id AND status IN ('Submitted', 'Progressing'))
       - r.leased - r.publishing AS queued,
       r.leased + r.publishing AS running, r.waiting, r.output_ms, r.presets, r.pipelines, r.buckets, r.keys, r.webhooks
  FROM (SELECT
       (SELECT COUNT(*) FROM tasks WHERE tenant_id = :tenant_id AND state IN ('Leased', 'Running', 'Stopping')) AS leased,
       (SELECT COUNT(*) FROM tasks WHERE tenant_id = :tenant_id AND state = 'Publishing') AS publishing,
       (SELECT COUNT(*) FROM tasks
         WHERE pipeline_id IN (SELECT id FROM pipelines WHERE tenant_id = :tenant_id) AND state = 'Waiting') AS waiting,
       (SELECT COALESCE(SUM(output_ms), 0) FROM tasks WHERE tenant_id = :tenant_id AND month = :month) AS output_ms,
       (SELECT COUNT(*) FROM presets WHERE tenant_id = :tenant_id) AS presets,
       (SELECT COUNT(*) FROM pipelines WHERE tenant_id = :tenant_id) AS pipelines,
       (SELECT COUNT(*) FROM buckets WHERE tenant_id = :tenant_id) AS buckets,
       (SELECT COUNT(*) FROM api_keys WHERE tenant_id = :tenant_id AND revoked_at IS NULL) AS keys,
       (SELECT COUNT(*) FROM endpoints WHERE tenant_id = :tenant_id AND kind = 'webhook') AS webhooks) r


-- Clusters and nodes

-- name: insert_cluster
INSERT INTO clusters (id, name, created_at) VALUES (:id, :name, :now) ON CONFLICT (id) DO NOTHING RETURNING id

-- name: cluster
SELECT * FROM clusters WHERE id = :id

-- name: clusters
SELECT * FROM clusters WHERE id > :after ORDER BY id LIMIT :size

-- name: rename_cluster
UPDATE clusters SET name = :name WHERE id = :id RETURNING *

-- name: set_cluster_status
UPDATE clusters SET status = :status WHERE id = :id RETURNING *

-- name: delete_cluster
DELETE FROM clusters WHERE id = :id
   AND NOT EXISTS (SELECT 1 FROM nodes WHERE cluster_id = :id) AND NOT EXISTS (SELECT 1 FROM join_tokens WHERE cluster_id = :id)
RETURNING id

-- name: delete_dead_join_tokens
DELETE FROM join_tokens WHERE cluster_id = :cluster_id AND (used_at IS NOT NULL OR expires_at <= :now)

-- name: insert_join_token
INSERT INTO join_tokens (secret_hash, cluster_id, labels, created_at, expires_at)
VALUES (:secret_hash, :cluster_id, :labels, :now, :expires_at)

-- name: use_join_token
UPDATE join_tokens SET used_at = :now WHERE secret_hash = :secret_hash AND used_at IS NULL AND expires_at > :now
RETURNING cluster_id, labels

-- name: insert_node
INSERT INTO nodes (id, cluster_id, name, state, credential_hash, labels, created_at)
VALUES (:id, :cluster_id, :name, 'Active', :credential_hash, :labels, :now)

-- name: node
SELECT * FROM nodes WHERE id = :id

-- name: node_at_work
SELECT n.*, (SELECT COUNT(*) FROM tasks t WHERE t.node_id = n.id AND t.state IN ('Leased', 'Running', 'Stopping')) AS running
  FROM nodes n WHERE n.id = :id

-- name: nodes
SELECT n.*, (SELECT COUNT(*) FROM tasks t WHERE t.node_id = n.id AND t.state IN ('Leased', 'Running', 'Stopping')) AS running
  FROM nodes n WHERE n.id > :after ORDER BY n.id LIMIT :size

-- name: nodes_of_cluster
SELECT n.*, (SELECT COUNT(*) FROM tasks t WHERE t.node_id = n.id AND t.state IN ('Leased', 'Running', 'Stopping')) AS running
  FROM nodes n WHERE n.cluster_id = :cluster_id AND n.id > :after ORDER BY n.id LIMIT :size

-- name: fleet
SELECT n.id, n.cluster_id, n.boot_id, n.state, n.trust, n.labels, n.facts, n.free, n.last_seen_at, n.reprobe_asked_at,
       c.status AS cluster_status
  FROM nodes n JOIN clusters c ON c.id = n.cluster_id WHERE n.state <> 'Revoked' AND n.facts IS NOT NULL

-- name: held
SELECT node_id, granted FROM tasks WHERE node_id IS NOT NULL AND state IN ('Leased', 'Running', 'Stopping')

-- name: count_nodes
SELECT COUNT(*) AS nodes FROM nodes WHERE state <> 'Revoked'

-- name: boot_node
UPDATE nodes SET boot_id = :boot_id, booted_at = :now, ancestors = :ancestors, rival_boot = :rival_boot WHERE id = :id

-- name: set_facts
UPDATE nodes SET facts = :facts, last_seen_at = :now, reprobe_asked_at = NULL WHERE id = :id

-- name: see_node
UPDATE nodes SET last_seen_at = :now, free = :free WHERE id = :id AND boot_id = :boot_id
RETURNING state, reprobe_asked_at

-- name: ask_to_reprobe
UPDATE nodes SET reprobe_asked_at = COALESCE(reprobe_asked_at, :now) WHERE id = :id AND state <> 'Revoked' RETURNING id

-- name: describe_node
UPDATE nodes SET name = :name, labels = :labels WHERE id = :id AND state <> 'Revoked' RETURNING id

-- name: set_node_state
UPDATE nodes SET state = :state WHERE id = :id AND state <> 'Revoked' RETURNING *

-- name: forget_rival
UPDATE nodes SET rival_boot = NULL WHERE id = :id

-- name: set_trust
UPDATE nodes SET trust = :trust, trusted_since = :now WHERE id = :id AND trust <> :trust RETURNING id

-- name: note_clone
UPDATE nodes SET trust = 'Cloned', trusted_since = :now
 WHERE id = :id AND boot_id <> :boot_id AND trust <> 'Cloned'
RETURNING id

-- name: insert_node_event
INSERT INTO node_events (node_id, at, type, data) VALUES (:node_id, :now, :type, :data)

-- name: node_events
SELECT id, at, type, data FROM node_events WHERE node_id = :node_id AND id > :after ORDER BY id LIMIT :size

-- name: count_faults
SELECT COUNT(*) AS faults FROM node_events WHERE node_id = :node_id AND type = 'fault' AND at > :since


-- Buckets, pipelines, presets

-- name: insert_bucket
INSERT INTO buckets (tenant_id, name, kind, root, created_at) VALUES (:tenant_id, :name, :kind, :root, :now)
ON CONFLICT (tenant_id, name) DO NOTHING RETURNING name

-- name: bucket
SELECT * FROM buckets WHERE tenant_id = :tenant_id AND name = :name

-- name: buckets
SELECT * FROM buckets WHERE tenant_id = :tenant_id AND name > :after ORDER BY name LIMIT :size

-- name: all_buckets
SELECT * FROM buckets ORDER BY tenant_id, name

-- name: bucket_at
SELECT name FROM buckets WHERE root = :root LIMIT 1

-- name: bucket_below
-- `before` is `after` with the byte that follows the slash in its place.
SELECT name FROM buckets WHERE root > :after AND root < :before LIMIT 1

-- name: delete_bucket
DELETE FROM buckets WHERE tenant_id = :tenant_id AND name = :name
   AND NOT EXISTS (SELECT 1 FROM pipelines
                    WHERE tenant_id = :tenant_id AND :name IN (input_bucket, output_bucket, thumbnail_bucket))
RETURNING root

-- name: note_forgotten_root
INSERT INTO forgotten_roots (root, at) VALUES (:root, :now) ON CONFLICT (root) DO UPDATE SET at = excluded.at

-- name: forgotten_roots
SELECT root FROM forgotten_roots ORDER BY root

-- name: delete_forgotten_roots
DELETE FROM forgotten_roots WHERE at < :before

-- name: insert_pipeline
INSERT INTO pipelines (id, tenant_id, name, input_bucket, output_bucket, thumbnail_bucket, notifications, terms, status, created_at)
VALUES (:id, :tenant_id, :name, :input_bucket, :output_bucket, :thumbnail_bucket, :notifications, :terms, 'Active', :now)

-- name: pipeline
SELECT * FROM pipelines WHERE id = :id AND tenant_id = :tenant_id

-- name: pipeline_and_roots
SELECT p.*, i.root AS input_root, o.root AS output_root, t.root AS thumbnail_root
  FROM pipelines p
  JOIN buckets i ON i.tenant_id = p.tenant_id AND i.name = p.input_bucket
  JOIN buckets o ON o.tenant_id = p.tenant_id AND o.name = p.output_bucket
  JOIN buckets t ON t.tenant_id = p.tenant_id AND t.name = p.thumbnail_bucket
 WHERE p.id = :id AND p.tenant_id = :tenant_id

-- name: pipelines
SELECT * FROM pipelines WHERE tenant_id = :tenant_id AND id > :after ORDER BY id LIMIT :size

-- name: pipelines_descending
SELECT * FROM pipelines WHERE tenant_id = :tenant_id AND id < :after ORDER BY id DESC LIMIT :size

-- name: update_pipeline
UPDATE pipelines SET name = :name, input_bucket = :input_bucket, output_bucket = :output_bucket,
       thumbnail_bucket = :thumbnail_bucket, notifications = :notifications, terms = :terms, version = version + 1
 WHERE id = :id AND tenant_id = :tenant_id AND (CAST(:version AS BIGINT) IS NULL OR version = :version)
RETURNING *

-- name: set_pipeline_status
UPDATE pipelines SET status = :status, version = version + 1 WHERE id = :id AND tenant_id = :tenant_id RETURNING *

-- name: delete_pipeline
DELETE FROM pipelines WHERE id = :id AND tenant_id = :tenant_id
   AND NOT EXISTS (SELECT 1 FROM jobs WHERE tenant_id = :tenant_id AND pipeline_id = :id AND status IN ('Submitted', 'Progressing'))
RETURNING id

-- name: delete_lanes
DELETE FROM lanes WHERE pipeline_id = :pipeline_id AND waiting = 0

-- name: insert_preset
INSERT INTO presets (id, tenant_id, name, description, settings, terms, created_at)
VALUES (:id, :tenant_id, :name, :description, :settings, :terms, :now)

-- name: preset
SELECT * FROM presets WHERE id = :id AND tenant_id = :tenant_id

-- name: presets
SELECT * FROM presets WHERE tenant_id = :tenant_id AND id > :after ORDER BY id LIMIT :size

-- name: presets_descending
SELECT * FROM presets WHERE tenant_id = :tenant_id AND id < :after ORDER BY id DESC LIMIT :size

-- name: delete_preset
DELETE FROM presets WHERE id = :id AND tenant_id = :tenant_id RETURNING id


-- Creating jobs

-- name: claim_token
-- A token row that has outlived its window is taken over as if it were new.
INSERT INTO idempotency (name, fingerprint, object_id, claimed_at, expires_at)
VALUES (:name, :fingerprint, :object_id, :claimed_at, :expires_at)
ON CONFLICT (name) DO UPDATE
   SET fingerprint = excluded.fingerprint, object_id = excluded.object_id, claimed_at = excluded.claimed_at,
       expires_at = excluded.expires_at
 WHERE idempotency.expires_at <= excluded.claimed_at
RETURNING object_id

-- name: release_token
DELETE FROM idempotency WHERE name = :name AND object_id = :object_id

-- name: token
SELECT fingerprint, object_id, expires_at FROM idempotency WHERE name = :name

-- name: insert_job
INSERT INTO jobs (id, tenant_id, user_id, pipeline_id, cluster_id, status, size, document, retry_of, submitted_at)
VALUES (:id, :tenant_id, :user_id, :pipeline_id, :cluster_id, 'Submitted', LENGTH(:document), :document, :retry_of, :submitted_at)

-- name: insert_task
INSERT INTO tasks (id, job_id, tenant_id, user_id, pipeline_id, need, state, priority, presets, files, max_attempts)
VALUES (:task_id, :id, :tenant_id, :user_id, :pipeline_id, :need, :task_state, :priority, :presets, :files, :max_attempts)

-- name: join_lane
INSERT INTO lanes (pipeline_id, need, user_id, tenant_id, waiting) VALUES (:pipeline_id, :need, :user_id, :tenant_id, :tasks)
ON CONFLICT (pipeline_id, need, user_id) DO UPDATE SET waiting = lanes.waiting + excluded.waiting

-- name: leave_lane
UPDATE lanes SET waiting = waiting - :tasks WHERE pipeline_id = :pipeline_id AND need = :need AND user_id = :user_id

-- name: count_tenant
UPDATE tenants SET queued = queued + :queued, running = running + :running, running_cost = running_cost + :cost,
       served = served + :served WHERE id = :id

-- name: count_ended
-- The same, of attempts that end. They are counted anew after a while; of a tenant that is doubted, after a success.
UPDATE tenants SET queued = queued + :queued, running = running + :running, running_cost = running_cost + :cost, served = served + :served,
       ended = :ended + CASE WHEN CASE WHEN is_doubted THEN :succeeded > 0 ELSE ended_since NOT BETWEEN :since AND :now END
                             THEN 0 ELSE ended END,
       failed = :failed + CASE WHEN CASE WHEN is_doubted THEN :succeeded > 0 ELSE ended_since NOT BETWEEN :since AND :now END
                               THEN 0 ELSE failed END,
       ended_since = CASE WHEN CASE WHEN is_doubted THEN :succeeded > 0 ELSE ended_since NOT BETWEEN :since AND :now END
                          THEN :now ELSE ended_since END
 WHERE id = :id

-- name: count_user
-- Those alone are counted who have limits of their own.
UPDATE user_quotas SET queued = queued + :queued, running = running + :running WHERE user_id = :user_id

-- name: queue_jobs
-- In a pipeline that stands, and is as it was when the jobs were understood.
UPDATE tenants SET queued = queued + :jobs
 WHERE id = :id AND (max_queued IS NULL OR queued + :jobs <= max_queued) AND (max_outputs IS NULL OR :outputs <= max_outputs)
   AND EXISTS (SELECT 1 FROM pipelines WHERE id = :pipeline_id AND tenant_id = :id
                  AND (CAST(:version AS BIGINT) IS NULL OR version = :version))
RETURNING (SELECT status FROM pipelines WHERE id = :pipeline_id) AS pipeline_status,
          EXISTS (SELECT 1 FROM user_quotas WHERE user_id = :user_id) AS user_is_counted,
          EXISTS (SELECT 1 FROM endpoints e WHERE e.tenant_id = tenants.id AND e.status = 'Active' AND e.types LIKE '%' || :heard || '%') AS is_heard

-- name: queue_jobs_of_user
UPDATE user_quotas SET queued = queued + :jobs
 WHERE user_id = :user_id AND (max_queued IS NULL OR queued + :jobs <= max_queued)
RETURNING queued

-- name: note_submitted
INSERT INTO events (tenant_id, job_id, at, type, data) VALUES (:tenant_id, :id, :submitted_at, 'submitted', '{}')

-- name: insert_event
INSERT INTO events (tenant_id, job_id, at, type, data) VALUES (:tenant_id, :job_id, :now, :type, :data)

-- name: job_to_repeat
SELECT j.*, t.priority, t.need, t.presets, t.files, t.max_attempts
  FROM jobs j JOIN tasks t ON t.job_id = j.id WHERE j.id = :id AND j.tenant_id = :tenant_id

-- name: note_retry
UPDATE jobs SET retried_by = :retried_by WHERE id = :id

-- name: claim_retry
UPDATE jobs SET retried_by = :retried_by WHERE id = :id AND status = 'Error' AND retried_by IS NULL RETURNING id

-- name: failed_jobs
SELECT id FROM jobs j
 WHERE tenant_id = :tenant_id AND status = 'Error' AND retried_by IS NULL AND finished_at >= :since AND finished_at < :before
   AND (CAST(:pipeline_id AS TEXT) IS NULL OR pipeline_id = :pipeline_id)
   AND EXISTS (SELECT 1 FROM pipelines p WHERE p.id = j.pipeline_id AND p.tenant_id = j.tenant_id)
 ORDER BY finished_at, id LIMIT :size

-- name: events_of_tenant
SELECT e.id, e.at, e.type, e.data, e.job_id, j.pipeline_id, j.cluster_id
  FROM (SELECT * FROM events WHERE tenant_id = :tenant_id AND id > :after ORDER BY id LIMIT :size) e
  JOIN jobs j ON j.id = e.job_id
 ORDER BY e.id

-- name: newest_event
SELECT MAX(id) AS id FROM events

-- name: events
SELECT id, at, type, data FROM events WHERE job_id = :job_id AND id > :after ORDER BY id LIMIT :size


-- Reading jobs

-- name: job
SELECT j.*, t.state AS task_state, t.attempt, t.node_id, t.progress, t.not_before, t.id AS task_id,
       t.need, (SELECT p.status FROM pipelines p WHERE p.id = j.pipeline_id) AS pipeline_status,
       (n.max_running IS NOT NULL AND n.running >= n.max_running) AS tenant_is_full,
       (n.is_doubted AND n.running > 0) AS tenant_is_doubted,
       COALESCE((SELECT u.running >= u.max_running FROM user_quotas u WHERE u.user_id = j.user_id), FALSE) AS user_is_full
  FROM jobs j JOIN tasks t ON t.job_id = j.id JOIN tenants n ON n.id = j.tenant_id WHERE j.id = :id AND j.tenant_id = :tenant_id

-- name: jobs_ascending
-- {ids}: those of the page, read off one index in their order, as far as there is :room; see `sql.py`.
SELECT j.*, t.state AS task_state, t.attempt, t.node_id, t.progress, t.not_before, t.id AS task_id,
       t.need, (SELECT p.status FROM pipelines p WHERE p.id = j.pipeline_id) AS pipeline_status,
       (n.max_running IS NOT NULL AND n.running >= n.max_running) AS tenant_is_full,
       (n.is_doubted AND n.running > 0) AS tenant_is_doubted,
       COALESCE((SELECT u.running >= u.max_running FROM user_quotas u WHERE u.user_id = j.user_id), FALSE) AS user_is_full
  FROM {ids} page JOIN jobs j ON j.id = page.id JOIN tasks t ON t.job_id = j.id JOIN tenants n ON n.id = j.tenant_id
 ORDER BY page.id LIMIT :size

-- name: jobs_descending
SELECT j.*, t.state AS task_state, t.attempt, t.node_id, t.progress, t.not_before, t.id AS task_id,
       t.need, (SELECT p.status FROM pipelines p WHERE p.id = j.pipeline_id) AS pipeline_status,
       (n.max_running IS NOT NULL AND n.running >= n.max_running) AS tenant_is_full,
       (n.is_doubted AND n.running > 0) AS tenant_is_doubted,
       COALESCE((SELECT u.running >= u.max_running FROM user_quotas u WHERE u.user_id = j.user_id), FALSE) AS user_is_full
  FROM {ids} page JOIN jobs j ON j.id = page.id JOIN tasks t ON t.job_id = j.id JOIN tenants n ON n.id = j.tenant_id
 ORDER BY page.id DESC LIMIT :size

-- name: task_of_job
SELECT * FROM tasks WHERE job_id = :job_id

-- name: task
SELECT * FROM tasks WHERE id = :id

-- name: files_of_lease
SELECT files FROM tasks WHERE id = :id AND attempt = :attempt AND state IN ('Leased', 'Running', 'Stopping')

-- name: work
SELECT j.document, t.presets, t.files FROM tasks t JOIN jobs j ON j.id = t.job_id WHERE t.id = :id


-- Dispatch

-- name: heads
-- The first waiting task of the lanes that may move. Of a tenant with very many lanes, of those whose place comes next from
-- where the round starts, as in a ring: `whose` finds the tenants and `step` their lanes one by one, each by an index.
WITH RECURSIVE step (tenant_id, place, first, nth) AS (
  SELECT c.tenant_id,
         COALESCE((SELECT MIN(l.place) FROM lanes l WHERE l.tenant_id = c.tenant_id AND l.waiting > 0 AND l.place >= :start),
                  (SELECT MIN(l.place) FROM lanes l WHERE l.tenant_id = c.tenant_id AND l.waiting > 0)),
         CAST(NULL AS BIGINT), 1
    FROM contenders c
  UNION ALL
  SELECT s.tenant_id,
         COALESCE((SELECT MIN(l.place) FROM lanes l WHERE l.tenant_id = s.tenant_id AND l.waiting > 0 AND l.place > s.place),
                  (SELECT MIN(l.place) FROM lanes l WHERE l.tenant_id = s.tenant_id AND l.waiting > 0)),
         COALESCE(s.first, s.place), s.nth + 1
    FROM step s WHERE s.nth < :most AND (s.first IS NULL OR s.place <> s.first))
SELECT t.id, t.tenant_id, t.user_id, t.pipeline_id, t.need, t.priority, t.failed_on, t.killed_on, n.running, n.running_cost,
       n.served, n.weight, n.priority_ceiling, n.max_running, n.is_doubted, u.max_running - u.running AS user_may_run
  FROM step s
  JOIN tenants n ON n.id = s.tenant_id
  JOIN lanes l ON l.tenant_id = s.tenant_id AND l.place = s.place AND l.waiting > 0
  JOIN pipelines p ON p.id = l.pipeline_id AND p.status = 'Active'
  LEFT JOIN user_quotas u ON u.user_id = l.user_id
  JOIN tasks t ON t.id = (
       SELECT w.id FROM tasks w
        WHERE w.pipeline_id = l.pipeline_id AND w.need = l.need AND w.user_id = l.user_id AND w.state = 'Waiting' AND w.not_before <= :now
        ORDER BY w.priority DESC, w.id LIMIT 1)
 WHERE (s.first IS NULL OR s.place <> s.first) AND (u.max_running IS NULL OR u.running < u.max_running)

-- name: crowded
-- Whether a tenant has more lanes than a round looks at.
SELECT EXISTS (
  SELECT 1 FROM contenders c
   WHERE (SELECT l.place FROM lanes l WHERE l.tenant_id = c.tenant_id AND l.waiting > 0 ORDER BY l.place LIMIT 1 OFFSET :most) IS NOT NULL) AS crowded

-- name: lane
-- The first waiting tasks of one line.
SELECT id, tenant_id, user_id, pipeline_id, need, priority, failed_on, killed_on FROM tasks
 WHERE pipeline_id = :pipeline_id AND need = :need AND user_id = :user_id AND state = 'Waiting' AND not_before <= :now
 ORDER BY priority DESC, id LIMIT :size

-- name: outlook
-- What waits for a pipeline that is paused, or for a user who runs all that they may, counts as well: to tell it apart, all
-- lanes would have to be looked at.
SELECT (SELECT MIN(not_before) FROM tasks WHERE state = 'Waiting' AND not_before > 0 AND not_before > :now) AS next_at,
       EXISTS (SELECT 1 FROM contenders) AS may_go

-- name: held_by_node
-- A row for each task that the node holds, or one without; none when it must not get work, or not at this boot.
SELECT n.id AS node_id, t.granted, t.killed_on, n.trust, n.trusted_since FROM nodes n
  JOIN clusters c ON c.id = n.cluster_id AND c.status = 'Active'
  LEFT JOIN tasks t ON t.node_id = n.id AND t.state IN ('Leased', 'Running', 'Stopping')
 WHERE n.id = :node_id AND n.boot_id = :boot_id AND n.state = 'Active' AND n.reprobe_asked_at IS NULL

-- name: grant
UPDATE tasks SET state = 'Leased', attempt = attempt + 1, lease_id = :lease_id, node_id = :node_id, boot_id = :boot_id,
       leased_at = :now, lease_expires_at = :accept_by, granted = :granted, progress = NULL, noted = 0, report = NULL
 WHERE id = :id AND state IN ({task:grant})
RETURNING id, job_id, attempt

-- name: accept
UPDATE tasks SET state = 'Running', lease_expires_at = :expires_at, spent = spent + 1
 WHERE id = :id AND attempt = :attempt AND lease_id = :lease_id AND node_id = :node_id AND state IN ({task:accept})
RETURNING id, attempt, lease_id, job_id, tenant_id

-- name: progress_job
UPDATE jobs SET status = 'Progressing', started_at = COALESCE(started_at, :now),
       cluster_id = COALESCE(cluster_id, (SELECT cluster_id FROM nodes WHERE id = :node_id))
 WHERE id = :id AND status IN ({job:accept})
RETURNING id, started_at = :now AND
          EXISTS (SELECT 1 FROM endpoints e WHERE e.tenant_id = jobs.tenant_id AND e.status = 'Active' AND e.types LIKE '%' || :heard || '%') AS is_heard

-- name: live_lease
SELECT id FROM tasks
 WHERE id = :id AND attempt = :attempt AND lease_id = :lease_id AND node_id = :node_id AND state IN ('Leased', 'Running', 'Stopping')

-- name: renew
UPDATE tasks SET lease_expires_at = :expires_at, progress = :progress
 WHERE id = :id AND attempt = :attempt AND lease_id = :lease_id AND node_id = :node_id AND state IN ('Running', 'Stopping')
RETURNING id, job_id, tenant_id, attempt, node_id, noted, state

-- name: reported
-- A task with what its node is trusted with.
SELECT t.*, n.trust FROM tasks t LEFT JOIN nodes n ON n.id = t.node_id WHERE t.id = :id

-- name: note_events
UPDATE tasks SET noted = :noted WHERE id = :id

-- name: keep_log
INSERT INTO attempt_logs (task_id, attempt, job_id, node_id, said, text, at)
VALUES (:task_id, :attempt, :job_id, :node_id, :said, :text, :now)
ON CONFLICT (task_id, attempt) DO UPDATE SET said = excluded.said, text = excluded.text, at = excluded.at
 WHERE attempt_logs.said <= excluded.said

-- name: logs
SELECT attempt, node_id, said, text, at FROM attempt_logs WHERE job_id = :job_id ORDER BY attempt DESC, task_id LIMIT :size

-- name: unheard_of_node
-- What it was granted at this boot and has not accepted, and what it has to stop.
SELECT id, job_id, attempt, lease_id, granted, state FROM tasks
 WHERE node_id = :node_id AND state IN ('Leased', 'Running', 'Stopping')
   AND (state = 'Stopping' OR (state = 'Leased' AND boot_id = :boot_id AND leased_at <= :before))

-- name: leases_of_node
SELECT * FROM tasks WHERE node_id = :node_id AND state IN ('Leased', 'Running', 'Stopping')

-- name: adopt_lease
UPDATE tasks SET boot_id = :boot_id, lease_expires_at = :expires_at WHERE id = :id

-- name: expired
-- An unaccepted lease may end at any time; one that ran only when its node was heard of after :floor.
SELECT t.*, n.cluster_id FROM tasks t JOIN nodes n ON n.id = t.node_id
 WHERE t.state IN ('Leased', 'Running', 'Stopping') AND t.lease_expires_at <= :now
   AND (t.state = 'Leased' OR t.lease_expires_at >= :floor)
 ORDER BY t.lease_expires_at LIMIT :size

-- name: shorten_leases
-- An end that no grant could have given: the clock was set back since.
UPDATE tasks SET lease_expires_at = :latest WHERE state IN ('Leased', 'Running', 'Stopping') AND lease_expires_at > :latest

-- name: shorten_delays
UPDATE tasks SET not_before = :latest WHERE state = 'Waiting' AND not_before > :latest

-- name: silent_nodes
-- Per cluster: nodes that hold or offer work, and how many of them have not been heard of after :since.
SELECT cluster_id, COUNT(*) AS nodes, SUM(CASE WHEN last_seen_at <= :since THEN 1 ELSE 0 END) AS silent
  FROM nodes WHERE state = 'Active' AND boot_id IS NOT NULL AND last_seen_at >= :horizon GROUP BY cluster_id

-- name: cluster_of_node
SELECT cluster_id FROM nodes WHERE id = :id


-- Ends of attempts

-- name: requeue
UPDATE tasks SET state = 'Waiting', not_before = :not_before, node_id = NULL, boot_id = NULL, lease_id = NULL,
       lease_expires_at = NULL, granted = NULL, progress = NULL, spent = :spent,
       node_faults = :node_faults, failed_on = :failed_on, killed_on = :killed_on, ended_lease = lease_id, ended_report = :report
 WHERE id = :id AND state IN ({task:requeue})

-- name: finish
UPDATE tasks SET state = 'Publishing', report = :outcome, lease_expires_at = NULL, ended_lease = lease_id, ended_report = :report,
       stored_bytes = :stored_bytes, publish_by = :publish_by
 WHERE id = :id AND state IN ({task:finish})

-- name: fail_task
UPDATE tasks SET state = 'Failed', lease_expires_at = NULL, ended_lease = lease_id, ended_report = :report
 WHERE id = :id AND state IN ({task:fail})

-- name: stop_task
UPDATE tasks SET state = 'Stopped', lease_expires_at = NULL, ended_lease = lease_id, ended_report = :report
 WHERE id = :id AND state IN ({task:stopped}, {task:cancel})

-- name: publish_task
UPDATE tasks SET state = 'Succeeded' WHERE id = :id AND state IN ({task:publish}) RETURNING id

-- name: ask_to_stop
UPDATE tasks SET state = 'Stopping' WHERE id = :id AND state = 'Running'

-- name: start_task
UPDATE tasks SET state = 'Waiting' WHERE id = :id AND state IN ({task:start})

-- name: end_job
UPDATE jobs SET status = :status, size = size + COALESCE(LENGTH(:result), 0), result = :result, finished_at = :now WHERE id = :id AND status IN ({job:complete}, {job:fail})
RETURNING id,
          EXISTS (SELECT 1 FROM endpoints e WHERE e.tenant_id = jobs.tenant_id AND e.status = 'Active' AND e.types LIKE '%' || :heard || '%') AS is_heard

-- name: cancel_job
UPDATE jobs SET status = 'Canceled', finished_at = :now WHERE id = :id AND status IN ({job:cancel})
RETURNING id,
          EXISTS (SELECT 1 FROM endpoints e WHERE e.tenant_id = jobs.tenant_id AND e.status = 'Active' AND e.types LIKE '%' || :heard || '%') AS is_heard

-- name: stop_job
UPDATE jobs SET status = 'Canceled', finished_at = :now WHERE id = :id AND status IN ({job:stop})
RETURNING id,
          EXISTS (SELECT 1 FROM endpoints e WHERE e.tenant_id = jobs.tenant_id AND e.status = 'Active' AND e.types LIKE '%' || :heard || '%') AS is_heard

-- name: publishing
SELECT id FROM tasks WHERE state = 'Publishing' ORDER BY id

-- name: live_attempts
SELECT id, attempt FROM tasks WHERE state IN ('Leased', 'Running', 'Stopping')
UNION ALL SELECT id, attempt FROM tasks WHERE state = 'Publishing'

-- name: queue_figures
SELECT COALESCE(SUM(queued), 0) AS queued, COALESCE(SUM(running), 0) AS running,
       COALESCE(SUM(CASE WHEN is_doubted THEN 1 ELSE 0 END), 0) AS doubted FROM tenants

-- name: oldest_in_lanes
-- The oldest task of every priority in each of some lanes: each is found by an index, however many wait.
WITH RECURSIVE step (pipeline_id, need, user_id, priority) AS (
  SELECT l.pipeline_id, l.need, l.user_id,
         (SELECT MAX(t.priority) FROM tasks t
           WHERE t.pipeline_id = l.pipeline_id AND t.need = l.need AND t.user_id = l.user_id AND t.state = 'Waiting')
    FROM lanes l WHERE l.waiting > 0 AND l.id > :after AND l.id <= :upto
  UNION ALL
  SELECT s.pipeline_id, s.need, s.user_id,
         (SELECT MAX(t.priority) FROM tasks t
           WHERE t.pipeline_id = s.pipeline_id AND t.need = s.need AND t.user_id = s.user_id AND t.state = 'Waiting'
             AND t.priority < s.priority)
    FROM step s WHERE s.priority IS NOT NULL)
SELECT s.need,
       (SELECT MIN(t.id) FROM tasks t
         WHERE t.pipeline_id = s.pipeline_id AND t.need = s.need AND t.user_id = s.user_id AND t.state = 'Waiting'
           AND t.priority = s.priority) AS id
  FROM step s WHERE s.priority IS NOT NULL

-- name: held_demands
SELECT granted FROM tasks WHERE state IN ('Leased', 'Running', 'Stopping') AND granted IS NOT NULL

-- name: nodes_by_state
SELECT state, COUNT(*) AS nodes FROM nodes GROUP BY state

-- name: oldest_unsealed
SELECT MIN(at) AS at FROM audit WHERE id > COALESCE((SELECT MAX(id) FROM audit_seals), 0)


-- Who is told what

-- name: insert_endpoint
INSERT INTO endpoints (id, tenant_id, kind, arn, url, description, types, secrets, base_url, status, asked_at, created_at)
VALUES (:id, :tenant_id, :kind, :arn, :url, :description, :types, :secrets, :base_url, :status, :now, :now)
ON CONFLICT DO NOTHING RETURNING *

-- name: endpoint
SELECT * FROM endpoints WHERE id = :id
   AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind) AND (CAST(:tenant_id AS TEXT) IS NULL OR tenant_id = :tenant_id)

-- name: endpoints_of_tenant
SELECT * FROM endpoints WHERE tenant_id = :tenant_id AND kind = :kind AND id > :after ORDER BY id LIMIT :size

-- name: every_topic
SELECT * FROM endpoints WHERE kind = 'topic' AND id > :after ORDER BY id LIMIT :size

-- name: known_topics
SELECT DISTINCT arn FROM endpoints WHERE tenant_id = :tenant_id AND kind = 'topic'

-- name: update_endpoint
UPDATE endpoints SET url = :url, description = :description, types = :types, secrets = :secrets, status = :status,
       reason = :reason, asked_at = :asked_at
 WHERE id = :id RETURNING *

-- name: disable_endpoint
UPDATE endpoints SET status = 'Disabled', reason = :reason WHERE id = :id

-- name: delete_endpoint
DELETE FROM endpoints WHERE id = :id

-- name: listeners
SELECT e.id, e.arn, j.id AS job_id, (SELECT p.notifications FROM pipelines p WHERE p.id = j.pipeline_id) AS notifications,
       EXISTS (SELECT 1 FROM deliveries d
                WHERE d.job_id = j.id AND d.endpoint_id = e.id AND d.state = 'Pending') AS is_behind
  FROM jobs j JOIN endpoints e ON e.tenant_id = j.tenant_id AND e.status = 'Active' AND e.types LIKE '%' || :heard || '%'
 WHERE j.id = :job_id ORDER BY e.id

-- name: insert_delivery
INSERT INTO deliveries (id, endpoint_id, job_id, type, data, at, state, due_at, begun_at)
VALUES (:id, :endpoint_id, :job_id, :type, :data, :now, 'Pending', :due_at, :now)

-- name: due_endpoints
-- Of every endpoint that something waits for, when that is due: each is found by an index, however much waits.
WITH RECURSIVE step (endpoint_id) AS (
  SELECT MIN(endpoint_id) FROM deliveries WHERE state = 'Pending' AND due_at IS NOT NULL
  UNION ALL
  SELECT (SELECT MIN(d.endpoint_id) FROM deliveries d
           WHERE d.state = 'Pending' AND d.due_at IS NOT NULL AND d.endpoint_id > s.endpoint_id)
    FROM step s WHERE s.endpoint_id IS NOT NULL)
SELECT e.id, (SELECT MIN(d.due_at) FROM deliveries d
               WHERE d.endpoint_id = e.id AND d.state = 'Pending' AND d.due_at IS NOT NULL) AS due_at
  FROM step s JOIN endpoints e ON e.id = s.endpoint_id AND e.status <> 'Disabled'
 WHERE e.status = 'Active'
    OR EXISTS (SELECT 1 FROM deliveries d
                WHERE d.endpoint_id = e.id AND d.state = 'Pending' AND d.due_at IS NOT NULL AND d.type = 'topic.confirmation')

-- name: claim_delivery
-- What a process that died had claimed is due again at :until. Who has not confirmed is sent nothing but the question.
UPDATE deliveries SET due_at = :until, tries = tries + 1
 WHERE number = (SELECT d.number FROM deliveries d JOIN endpoints e
                    ON e.id = d.endpoint_id
                   AND (e.status = 'Active' OR (e.status = 'Pending' AND d.type = 'topic.confirmation'))
              WHERE d.endpoint_id = :endpoint_id AND d.state = 'Pending' AND d.due_at IS NOT NULL AND d.due_at <= :now
              ORDER BY d.due_at, d.number LIMIT 1)
   AND state = 'Pending' AND due_at <= :now
RETURNING *

-- name: end_delivery
UPDATE deliveries SET state = :state, due_at = NULL, ended_at = :now, attempts = :attempts
 WHERE id = :id AND state = 'Pending' RETURNING id

-- name: delay_delivery
UPDATE deliveries SET due_at = :due_at, attempts = :attempts WHERE id = :id AND state = 'Pending'

-- name: let_next_go
-- What stands behind a message that has ended.
UPDATE deliveries SET due_at = :now, begun_at = :now
 WHERE number = (SELECT MIN(d.number) FROM deliveries d
              WHERE d.job_id = :job_id AND d.endpoint_id = :endpoint_id AND d.state = 'Pending')
   AND due_at IS NULL

-- name: delivery
SELECT * FROM deliveries WHERE id = :id AND endpoint_id = :endpoint_id

-- name: deliveries_of_endpoint
SELECT * FROM deliveries WHERE endpoint_id = :endpoint_id AND number < :before
   AND (CAST(:state AS TEXT) IS NULL OR state = :state)
 ORDER BY number DESC LIMIT :size

-- name: redeliver
-- One that waits is sent at once; one that was sent, once more.
UPDATE deliveries SET state = 'Pending', due_at = :now, begun_at = :now, tries = 0, ended_at = NULL
 WHERE id = :id AND endpoint_id = :endpoint_id AND (state <> 'Pending' OR due_at IS NOT NULL) RETURNING *

-- name: outbox_figures
-- Counted up to a thousand and one: more is simply many. What nobody is there for any more waits for nobody.
WITH waiting AS (
  SELECT d.number, d.at FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id AND e.status <> 'Disabled'
   WHERE d.state = 'Pending' ORDER BY d.number LIMIT 1001)
SELECT COUNT(*) AS pending, MIN(at) AS oldest FROM waiting

-- name: span_of_deliveries
SELECT MAX(number) AS last, MIN(at) AS oldest
  FROM (SELECT number, at FROM deliveries WHERE number > :after ORDER BY number LIMIT :size) AS span

-- name: delete_deliveries
DELETE FROM deliveries WHERE number > :after AND number <= :upto AND at <= :until RETURNING number


-- The audit log

-- name: insert_deed
INSERT INTO audit (at, user_id, role, tenant_id, address, request_id, action, object)
VALUES (:at, :user_id, :role, :tenant_id, :address, :request_id, :action, :object)

-- name: deeds_between
SELECT * FROM audit WHERE id > :after AND id <= :upto ORDER BY id LIMIT :size

-- name: deeds
SELECT * FROM audit
 WHERE id < :before AND id >= :floor
   AND (CAST(:tenant_id AS TEXT) IS NULL OR tenant_id = :tenant_id)
   AND (CAST(:user_id AS TEXT) IS NULL OR user_id = :user_id)
   AND (CAST(:action AS TEXT) IS NULL OR action = :action)
   AND (CAST(:object AS TEXT) IS NULL OR object = :object)
 ORDER BY id DESC LIMIT :size

-- name: newest_deed
SELECT MAX(id) AS id FROM audit

-- name: newest_seal
SELECT * FROM audit_seals ORDER BY id DESC LIMIT 1

-- name: next_seal
SELECT * FROM audit_seals WHERE id > :after ORDER BY id LIMIT 1

-- name: insert_seal
INSERT INTO audit_seals (id, hash) VALUES (:id, :hash)

-- name: last_swept_seal
-- The last seal whose own row is old enough, at most :size rows from the first row.
SELECT s.id, s.hash FROM audit_seals s JOIN audit a ON a.id = s.id
 WHERE a.at <= :until AND s.id <= (SELECT MIN(id) FROM audit) + :size ORDER BY s.id DESC LIMIT 1

-- name: delete_deeds
DELETE FROM audit WHERE id <= :upto RETURNING id

-- name: delete_seals
DELETE FROM audit_seals WHERE id < :before


-- Retention

-- name: ended_jobs
SELECT id FROM jobs WHERE id > :after AND id < :before AND finished_at <= :until ORDER BY id LIMIT :size

-- name: delete_events_of_jobs
DELETE FROM events WHERE job_id IN (SELECT id FROM jobs WHERE id > :after AND id <= :upto AND finished_at <= :until)

-- name: delete_logs_of_jobs
DELETE FROM attempt_logs WHERE job_id IN (SELECT id FROM jobs WHERE id > :after AND id <= :upto AND finished_at <= :until)

-- name: span_of_logs
SELECT MAX(task_id) AS last
  FROM (SELECT task_id FROM attempt_logs WHERE task_id > :after AND task_id < :before ORDER BY task_id LIMIT :size) AS span

-- name: delete_logs
DELETE FROM attempt_logs WHERE task_id > :after AND task_id <= :upto AND at <= :until RETURNING task_id

-- name: delete_tasks_of_jobs
DELETE FROM tasks WHERE job_id IN (SELECT id FROM jobs WHERE id > :after AND id <= :upto AND finished_at <= :until)

-- name: delete_jobs
DELETE FROM jobs WHERE id > :after AND id <= :upto AND finished_at <= :until

-- name: span_of_events
SELECT MAX(id) AS last, MIN(at) AS oldest FROM (SELECT id, at FROM events WHERE id > :after ORDER BY id LIMIT :size) AS span

-- name: delete_events
DELETE FROM events WHERE id > :after AND id <= :upto AND at <= :until
   AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = events.job_id AND j.finished_at <= :until)
RETURNING id

-- name: delete_request_tokens
DELETE FROM idempotency WHERE name IN (SELECT name FROM idempotency WHERE expires_at <= :until LIMIT :size)
RETURNING name

-- name: delete_join_tokens
DELETE FROM join_tokens WHERE secret_hash IN
       (SELECT secret_hash FROM join_tokens WHERE used_at <= :until OR expires_at <= :until LIMIT :size)
RETURNING secret_hash

-- name: delete_node_events
-- They lie in the order of their time: the oldest are looked at, not all.
DELETE FROM node_events WHERE at <= :until AND id IN (SELECT id FROM node_events ORDER BY id LIMIT :size) RETURNING id

-- name: span_of_lanes
SELECT MAX(id) AS last FROM (SELECT id FROM lanes WHERE id > :after ORDER BY id LIMIT :size) AS span

-- name: delete_idle_lanes
DELETE FROM lanes WHERE id > :after AND id <= :upto AND waiting = 0 RETURNING id

-- name: fence_restored
UPDATE tasks SET attempt = attempt + :fence WHERE state IN ('Held', 'Waiting', 'Leased', 'Running', 'Stopping')
