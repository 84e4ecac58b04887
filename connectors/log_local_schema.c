/*
 * The local log's file: DIR/log.db, an SQLite database in WAL mode, synchronous=FULL.
 *
 *   DIR/log.db, log.db-wal, log.db-shm   the log; SQLite's files belong together: copy them with
 *                                        sqlite3's .backup
 *   DIR/wake/                            sockets of those who wait (connectors/log_local_wake.c);
 *                                        empty when nobody runs
 *   DIR/engine.lock                      flock of the one engine (log_claim_exclusive); says who
 *
 * Format 1 (application_id 0x54525550 "TRUP", user_version 1). Times are milliseconds since 1970
 * UTC, except deadline_ms, which is CLOCK_BOOTTIME and counts only while boot.id is the machine's
 * boot id.
 *
 *   topic           id, name, partition_count, first_partition_id, compact (0/1), retention_ms,
 *                   retention_size (-1: no bound)
 *   partition       id = topic.first_partition_id + number
 *     begin_offset  the first offset that may be read; below it retention has cut
 *     end_offset    behind the last record; the next record gets it
 *     size          bytes of keys, values and headers (as stored) that are there
 *     time_ms_max   the greatest time of all records so far
 *     mark_offset   where the newest time mark stands
 *   record          id = partition id * 2^40 + offset, so that a partition is one run of rows in
 *                   the order of its offsets; time_ms, key, value (NULL: none), headers (NULL:
 *                   none), sum
 *     headers       Avro binary: long count, then for each: string name, boolean is-null, bytes
 *                   value
 *     sum           XXH64 over the headers, seeded with XXH64 over the value, seeded with XXH64
 *                   over the key, seeded with id * 8 + 4 * (no key) + 2 * (no value) + (no
 *                   headers), xor time_ms; checked by every read
 *   time_mark       (partition_id, offset) -> time_ms: the greatest time of all records below
 *                   offset; every 256 records or so
 *   latest          compacted topics: (partition_id, key) -> offset of the key's newest record
 *   stale           compacted topics: (due_ms, record_id): a record to delete at due_ms,
 *                   overwritten or a tombstone
 *   writer          identity -> epoch; a writer whose epoch is not this one is fenced
 *   consumer_group  id, name, generation (one more with each change of members, targets or owners)
 *   member          id (never used again), group_id, identity ('' dynamic), joined (its order),
 *                   topics (separated by line feeds), timeout_ms, deadline_ms, process
 *   share           (group_id, partition_id) -> owner_id (member who has it, 0 none), target_id
 *                   (who should have it), announced (the owner has been told)
 *   position        (group_id, partition_id) -> offset: the next record the group reads
 *   boot            id: the boot that deadlines belong to
 *
 * What holds after every transaction: end_offset never goes down; records of a partition have
 * begin_offset <= offset < end_offset; a partition of a group has one owner at the most; a position
 * was written by the transaction that wrote what follows from the records below it.
 *
 * Refused: a table a partition (as fast where partitions are few, but a schema that changes with
 * every topic); WITHOUT ROWID (a kilobyte goes to an overflow page of its own); an index for time
 * (one more page to write for each record).
 */
#include "connectors/log_local_db.h"

const char local_schema_sql[] =
    "CREATE TABLE topic("
    "  id INTEGER PRIMARY KEY, "
    "  name TEXT NOT NULL UNIQUE, "
    "  partition_count INTEGER NOT NULL, "
    "  first_partition_id INTEGER NOT NULL, "
    "  compact INTEGER NOT NULL, "
    "  retention_ms INTEGER NOT NULL, "
    "  retention_size INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE partition("
    "  id INTEGER PRIMARY KEY, "
    "  topic_id INTEGER NOT NULL, "
    "  number INTEGER NOT NULL, "
    "  begin_offset INTEGER NOT NULL DEFAULT 0, "
    "  end_offset INTEGER NOT NULL DEFAULT 0, "
    "  size INTEGER NOT NULL DEFAULT 0, "
    "  time_ms_max INTEGER NOT NULL DEFAULT 0, "
    "  mark_offset INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE TABLE record("
    "  id INTEGER PRIMARY KEY, "
    "  time_ms INTEGER NOT NULL, "
    "  key BLOB, "
    "  value BLOB, "
    "  headers BLOB, "
    "  sum INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE time_mark("
    "  partition_id INTEGER NOT NULL, "
    "  offset INTEGER NOT NULL, "
    "  time_ms INTEGER NOT NULL, "
    "  PRIMARY KEY(partition_id, offset)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE latest("
    "  partition_id INTEGER NOT NULL, "
    "  key BLOB NOT NULL, "
    "  offset INTEGER NOT NULL, "
    "  PRIMARY KEY(partition_id, key)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE stale("
    "  due_ms INTEGER NOT NULL, "
    "  record_id INTEGER NOT NULL, "
    "  PRIMARY KEY(due_ms, record_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE writer("
    "  identity TEXT NOT NULL PRIMARY KEY, "
    "  epoch INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE consumer_group("
    "  id INTEGER PRIMARY KEY, "
    "  name TEXT NOT NULL UNIQUE, "
    "  generation INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE TABLE member("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "  group_id INTEGER NOT NULL, "
    "  identity TEXT NOT NULL, "
    "  joined INTEGER NOT NULL, "
    "  topics TEXT NOT NULL, "
    "  timeout_ms INTEGER NOT NULL, "
    "  deadline_ms INTEGER NOT NULL, "
    "  process INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX member_group ON member(group_id);"
    "CREATE TABLE share("
    "  group_id INTEGER NOT NULL, "
    "  partition_id INTEGER NOT NULL, "
    "  owner_id INTEGER NOT NULL DEFAULT 0, "
    "  target_id INTEGER NOT NULL DEFAULT 0, "
    "  announced INTEGER NOT NULL DEFAULT 0, "
    "  PRIMARY KEY(group_id, partition_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE position("
    "  group_id INTEGER NOT NULL, "
    "  partition_id INTEGER NOT NULL, "
    "  offset INTEGER NOT NULL, "
    "  PRIMARY KEY(group_id, partition_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE boot("
    "  id TEXT NOT NULL"
    ") STRICT;"
    "INSERT INTO boot VALUES('');"
    /* For people: sqlite3 -readonly DIR/log.db 'SELECT * FROM records WHERE topic = ...' */
    "CREATE VIEW records AS SELECT topic.name AS topic, partition.number AS partition, "
    "  record.id & 1099511627775 AS offset, datetime(record.time_ms / 1000, 'unixepoch') "
    "  AS time, record.key, record.value, record.headers FROM record JOIN partition ON "
    "  partition.id = record.id >> 40 JOIN topic ON topic.id = partition.topic_id;"
    "PRAGMA application_id = 1414681936;"
    "PRAGMA user_version = 1;";

const char *const local_statement_sql[LOCAL_SQL_COUNT] = {
    [LOCAL_TOPIC_INSERT] = "INSERT INTO topic(name, partition_count, first_partition_id, compact, "
                           "retention_ms, retention_size) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [LOCAL_TOPIC_FIND] =
        "SELECT first_partition_id, partition_count, compact FROM topic WHERE name = ?1",
    [LOCAL_TOPIC_LIST] = "SELECT name, partition_count FROM topic ORDER BY name",
    [LOCAL_TOPIC_LAST_PARTITION] = "SELECT max(id) FROM partition",
    [LOCAL_PARTITION_INSERT] = "INSERT INTO partition(id, topic_id, number) VALUES(?1, ?2, ?3)",
    [LOCAL_PARTITION_GET] = "SELECT begin_offset, end_offset, size, time_ms_max, mark_offset FROM "
                            "partition WHERE id = ?1",
    [LOCAL_PARTITION_ENDS] = "SELECT id, begin_offset, end_offset FROM partition ORDER BY id",
    [LOCAL_PARTITION_GROW] = "UPDATE partition SET end_offset = ?2, size = ?3, time_ms_max = ?4, "
                             "mark_offset = ?5 WHERE id = ?1",
    [LOCAL_PARTITION_CUT] =
        "UPDATE partition SET begin_offset = ?2, size = size - ?3 WHERE id = ?1",
    [LOCAL_PARTITION_RETAINED] =
        "SELECT partition.id, begin_offset, end_offset, size, retention_ms, retention_size FROM "
        "topic JOIN partition ON partition.topic_id = topic.id WHERE NOT compact AND (retention_ms "
        ">= 0 OR retention_size >= 0) AND begin_offset < end_offset AND partition.id > ?1 ORDER BY "
        "partition.id LIMIT 1",
    [LOCAL_RECORD_INSERT] =
        "INSERT INTO record(id, time_ms, key, value, headers, sum) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [LOCAL_RECORD_READ] = "SELECT id, time_ms, key, value, headers, sum FROM record WHERE id >= ?1 "
                          "AND id < ?2 ORDER BY id",
    [LOCAL_RECORD_AT_TIME] =
        "SELECT id FROM record WHERE id >= ?1 AND id < ?2 AND time_ms >= ?3 ORDER BY id LIMIT 1",
    [LOCAL_RECORD_SIZES] =
        "SELECT id, ifnull(length(key), 0) + ifnull(length(value), 0) + ifnull(length(headers), 0) "
        "FROM record WHERE id >= ?1 AND id < ?2 ORDER BY id",
    [LOCAL_RECORD_SIZE] =
        "SELECT ifnull(length(key), 0) + ifnull(length(value), 0) + ifnull(length(headers), 0), "
        "key, value IS NULL FROM record WHERE id = ?1",
    [LOCAL_RECORD_DELETE_RANGE] = "DELETE FROM record WHERE id >= ?1 AND id < ?2",
    [LOCAL_RECORD_DELETE] = "DELETE FROM record WHERE id = ?1",
    [LOCAL_MARK_INSERT] = "INSERT INTO time_mark(partition_id, offset, time_ms) VALUES(?1, ?2, ?3)",
    [LOCAL_MARK_BEFORE] = "SELECT offset FROM time_mark WHERE partition_id = ?1 AND time_ms < ?2 "
                          "ORDER BY offset DESC LIMIT 1",
    [LOCAL_MARK_DELETE] = "DELETE FROM time_mark WHERE partition_id = ?1 AND offset < ?2",
    [LOCAL_LATEST_GET] = "SELECT offset FROM latest WHERE partition_id = ?1 AND key = ?2",
    [LOCAL_LATEST_PUT] =
        "INSERT OR REPLACE INTO latest(partition_id, key, offset) VALUES(?1, ?2, ?3)",
    [LOCAL_LATEST_FORGET] =
        "DELETE FROM latest WHERE partition_id = ?1 AND key = ?2 AND offset = ?3",
    [LOCAL_STALE_PUT] = "INSERT OR IGNORE INTO stale(due_ms, record_id) VALUES(?1, ?2)",
    [LOCAL_STALE_DUE] =
        "SELECT due_ms, record_id FROM stale WHERE due_ms <= ?1 ORDER BY due_ms, record_id LIMIT 1",
    [LOCAL_STALE_DELETE] = "DELETE FROM stale WHERE due_ms = ?1 AND record_id = ?2",
    [LOCAL_WRITER_EPOCH] = "SELECT epoch FROM writer WHERE identity = ?1",
    [LOCAL_WRITER_BUMP] = "INSERT INTO writer(identity, epoch) VALUES(?1, 1) ON CONFLICT(identity) "
                          "DO UPDATE SET epoch = epoch + 1",
    [LOCAL_GROUP_FIND] = "SELECT id FROM consumer_group WHERE name = ?1",
    [LOCAL_GROUP_INSERT] = "INSERT INTO consumer_group(name) VALUES(?1)",
    [LOCAL_GROUP_LIST] = "SELECT id FROM consumer_group",
    [LOCAL_GROUP_GENERATION] = "SELECT generation FROM consumer_group WHERE id = ?1",
    [LOCAL_GROUP_BUMP] = "UPDATE consumer_group SET generation = generation + 1 WHERE id = ?1",
    [LOCAL_GROUP_GLANCE] = "SELECT generation, (SELECT deadline_ms FROM member WHERE id = ?2), "
                           "(SELECT min(deadline_ms) FROM member WHERE group_id = ?1 AND id <> ?2) "
                           "FROM consumer_group WHERE id = ?1",
    [LOCAL_MEMBER_INSERT] = "INSERT INTO member(group_id, identity, joined, topics, timeout_ms, "
                            "deadline_ms, process) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [LOCAL_MEMBER_LIST] = "SELECT id, identity, joined, topics FROM member WHERE group_id = ?1",
    [LOCAL_MEMBER_GET] = "SELECT deadline_ms FROM member WHERE id = ?1",
    [LOCAL_MEMBER_OF_IDENTITY] =
        "SELECT id, joined FROM member WHERE group_id = ?1 AND identity = ?2 AND ?2 <> ''",
    [LOCAL_MEMBER_BEAT] = "UPDATE member SET deadline_ms = ?2 WHERE id = ?1",
    [LOCAL_MEMBER_DELETE] = "DELETE FROM member WHERE id = ?1",
    [LOCAL_MEMBER_EXPIRE] =
        "DELETE FROM member WHERE group_id = ?1 AND deadline_ms < ?2 AND id <> ?3",
    [LOCAL_MEMBER_REBOOT_DELETE] = "DELETE FROM member WHERE identity = ''",
    [LOCAL_MEMBER_REBOOT_GRACE] = "UPDATE member SET deadline_ms = ?1 + timeout_ms",
    [LOCAL_SHARE_TARGET] =
        "INSERT INTO share(group_id, partition_id, target_id) VALUES(?1, ?2, ?3) ON "
        "CONFLICT(group_id, partition_id) DO UPDATE SET target_id = ?3 WHERE target_id <> ?3",
    [LOCAL_SHARE_UNTARGET] = "UPDATE share SET target_id = 0 WHERE group_id = ?1 AND target_id NOT "
                             "IN (SELECT id FROM member WHERE group_id = ?1)",
    [LOCAL_SHARE_ORPHANS] =
        "UPDATE share SET owner_id = 0, announced = 0 WHERE group_id = ?1 AND owner_id <> 0 AND "
        "owner_id NOT IN (SELECT id FROM member WHERE group_id = ?1)",
    [LOCAL_SHARE_INHERIT] = "UPDATE share SET owner_id = ?3, target_id = ?3, announced = 0 WHERE "
                            "group_id = ?1 AND owner_id = ?2 AND target_id = ?2",
    [LOCAL_SHARE_OWNER] = "SELECT owner_id FROM share WHERE group_id = ?1 AND partition_id = ?2",
    [LOCAL_SHARE_REVOKED] =
        "SELECT topic.name, partition.number, partition.id FROM share JOIN partition ON "
        "partition.id = share.partition_id JOIN topic ON topic.id = partition.topic_id WHERE "
        "group_id = ?1 AND owner_id = ?2 AND target_id <> ?2 ORDER BY topic.name, partition.number",
    [LOCAL_SHARE_ASSIGNABLE] =
        "SELECT topic.name, partition.number, partition.id FROM share JOIN partition ON "
        "partition.id = share.partition_id JOIN topic ON topic.id = partition.topic_id WHERE "
        "group_id = ?1 AND target_id = ?2 AND (owner_id = 0 OR (owner_id = ?2 AND NOT announced)) "
        "ORDER BY topic.name, partition.number",
    [LOCAL_SHARE_ASSIGN] = "UPDATE share SET owner_id = ?2, announced = 1 WHERE group_id = ?1 AND "
                           "target_id = ?2 AND (owner_id = 0 OR owner_id = ?2)",
    [LOCAL_SHARE_RELEASE] = "UPDATE share SET owner_id = 0, announced = 0 WHERE group_id = ?1 AND "
                            "owner_id = ?2 AND partition_id = ?3",
    [LOCAL_POSITION_GET] = "SELECT offset FROM position WHERE group_id = ?1 AND partition_id = ?2",
    [LOCAL_POSITION_PUT] =
        "INSERT OR REPLACE INTO position(group_id, partition_id, offset) VALUES(?1, ?2, ?3)",
    [LOCAL_BOOT_GET] = "SELECT id FROM boot",
    [LOCAL_BOOT_PUT] = "UPDATE boot SET id = ?1",
};
