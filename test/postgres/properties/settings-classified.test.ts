import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OF_LOADS, OF_THE_DATABASE, OF_TOOLS } from "../../../shared/postgres/properties/session-settings.ts";
import { sharedServer } from "../../support/postgres.ts";

const words = (text: string) => text.split(/\s+/);

/** Given by us to each session in question. */
const FIXED = [
  ...Object.keys({ ...OF_TOOLS, ...OF_LOADS }),
  // By what the load or our own sessions are for.
  ...words("row_security synchronous_commit maintenance_work_mem"),
];

/** pg_dump sets them itself, or writes them into the archive, from which pg_restore and psql have them. */
const OF_THE_ARCHIVE = words(
  `client_encoding search_path client_min_messages default_tablespace default_table_access_method
   escape_string_warning synchronize_seqscans transaction_deferrable transaction_isolation transaction_read_only`,
);

/** PostgreSQL 13 to 18. */
const WITHOUT_MEANING = [
  // How a query is planned and how much it may use, which no value depends on.
  ...words(
    `vacuum_cleanup_index_scale_factor backend_flush_after constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost
     cursor_tuple_fraction debug_parallel_query default_statistics_target effective_cache_size
     effective_io_concurrency enable_async_append enable_bitmapscan enable_distinct_reordering
     enable_gathermerge enable_group_by_reordering enable_hashagg enable_hashjoin enable_incremental_sort
     enable_indexonlyscan enable_indexscan enable_material enable_memoize enable_mergejoin
     enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
     enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate
     enable_self_join_elimination enable_seqscan enable_sort enable_tidscan file_copy_method
     force_parallel_mode from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size geqo_seed
     geqo_selection_bias geqo_threshold gin_pending_list_limit hash_mem_multiplier io_combine_limit jit
     jit_above_cost jit_debugging_support jit_dump_bitcode jit_expressions jit_inline_above_cost
     jit_optimize_above_cost jit_profiling_support jit_tuple_deforming join_collapse_limit
     logical_decoding_work_mem maintenance_io_concurrency max_parallel_maintenance_workers
     max_parallel_workers max_parallel_workers_per_gather max_stack_depth min_parallel_index_scan_size
     min_parallel_table_scan_size operator_precedence_warning parallel_leader_participation
     parallel_setup_cost parallel_tuple_cost plan_cache_mode random_page_cost recursive_worktable_factor
     seq_page_cost temp_buffers temp_file_limit temp_tablespaces work_mem`,
  ),
  // What is logged, counted and shown.
  ...words(
    `application_name backtrace_functions compute_query_id debug_discard_caches
     debug_logical_replication_streaming debug_pretty_print debug_print_parse debug_print_plan
     debug_print_rewritten lc_messages log_connections log_disconnections log_duration
     log_error_verbosity log_executor_stats log_lock_failures log_lock_waits log_min_duration_sample
     log_min_duration_statement log_min_error_statement log_min_messages log_parameter_max_length
     log_parameter_max_length_on_error log_parser_stats log_planner_stats log_replication_commands
     log_statement log_statement_sample_rate log_statement_stats log_temp_files
     log_transaction_sample_rate md5_password_warnings post_auth_delay stats_fetch_consistency
     trace_notify trace_sort track_activities track_cost_delay_timing track_counts track_functions
     track_io_timing track_wal_io_timing update_process_title`,
  ),
  // How rows lie on the disk and when they get there.
  ...words(
    `commit_delay commit_siblings deadlock_timeout default_toast_compression vacuum_buffer_usage_limit
     vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty vacuum_cost_page_hit
     vacuum_cost_page_miss vacuum_failsafe_age vacuum_freeze_min_age vacuum_freeze_table_age
     vacuum_max_eager_freeze_failure_rate vacuum_multixact_failsafe_age vacuum_multixact_freeze_min_age
     vacuum_multixact_freeze_table_age vacuum_truncate wal_compression wal_consistency_checking
     wal_init_zero wal_recycle wal_sender_timeout wal_skip_threshold`,
  ),
  // What a superuser alone sets, for a server that is broken or changed.
  ...words(
    `allow_in_place_tablespaces allow_system_table_mods composite_type_mismatch createrole_self_grant dynamic_library_path
     extension_control_path extension_destdir ignore_system_indexes lo_compat_privileges
     local_preload_libraries output_plugin_libraries password_encryption scram_iterations session_preload_libraries`,
  ),
];

describe("the settings that a session can have", () => {
  it("are each fixed, the database's own, the archive's, or without a meaning for a value", async () => {
    const server = await sharedServer();
    const { rows } = await server.query(
      "postgres",
      `SELECT name FROM pg_settings WHERE context IN ('user', 'superuser', 'backend', 'superuser-backend')
         AND name NOT LIKE '%.%'`,
    );
    const classified = [...FIXED, ...OF_THE_DATABASE, ...OF_THE_ARCHIVE, ...WITHOUT_MEANING];

    assert.deepEqual(
      (rows as { name: string }[]).map(({ name }) => name).filter((name) => !classified.includes(name)),
      [],
      "does what a dump holds depend on it? shared/postgres/properties/session-settings.ts, or this list",
    );
    assert.deepEqual(
      classified.filter((name, index) => classified.indexOf(name) !== index),
      [],
    );
  });
});
