import type { JudgeSignature } from "../../shared/catalog/encryption.ts";
import type { Check } from "../../shared/doctor/finding.ts";
import type { Run, RunStore } from "../../shared/run/run.ts";
import { trusting } from "../../shared/catalog/trusted-listing.ts";
import { volumeCheck } from "../../shared/doctor/check-volume.ts";
import { notificationChecks } from "../../shared/doctor/check-notifications.ts";
import { retiredDatabases } from "../../shared/backup/retired-databases.ts";
import { damageBook } from "./marks/damage-book.ts";
import { signatureJudge } from "../../shared/catalog/encryption/manifest-signature.ts";
import type { PrintArchive } from "../../shared/catalog/legacy/read-legacy.ts";
import { keepReserve, withReserve } from "../../shared/run/reserve.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { knownServer } from "../../shared/catalog/legacy/decide-database.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { eventSink } from "../../shared/events/event-sink.ts";
import type { CullPlacesDependencies } from "./cull-places.ts";
import { runChecks } from "../../shared/doctor/run-checks.ts";
import { databaseChoice } from "../../shared/config/database-choice.ts";
import { inTurn } from "../../shared/waiting.ts";
import { interruptedRuns } from "../../shared/run/resume-runs.ts";
import { findNamespace } from "../../shared/kubernetes/namespace.ts";
import { both, notifier } from "../../shared/events/notify/notifier.ts";
import { createAuthorizer, createEventAuthorizer } from "../../shared/http/authorize-by.ts";
import { openBucketCatalog } from "../../shared/catalog/bucket/open-bucket.ts";
import type { ProcessContext } from "../../shared/function/run-function.ts";
import { backupsCheck } from "./check-backups.ts";
import type { CullConfig } from "./config.ts";
import { cullHandler } from "./handler.ts";
import { keepPolicy } from "../../shared/retention/retention-policy.ts";
import { mirrorChecks } from "../../shared/doctor/check-mirror.ts";
import { runsInPod, type Service } from "../../shared/function/service.ts";
import { sendersCheck, callerChecks } from "../../shared/doctor/check-callers.ts";

/** Wires what culling needs: the volume, and the bucket if there is one. */
export async function cullService(config: CullConfig, { log, searchPath }: ProcessContext): Promise<Service> {
  await keepReserve(config.BACKUP_DIR, log);
  const store = withReserve(runFiles(config.BACKUP_DIR, log), config.BACKUP_DIR, log);
  const { MANIFEST_PUBLIC_KEY: key } = config;
  const judge = key === undefined ? undefined : signatureJudge(key);
  const reading = { known: knownServer(config), print: printing(searchPath) };
  const catalog = trusting(volumeCatalog(config.BACKUP_DIR, undefined, reading), judge);
  const deps: CullPlacesDependencies = {
    catalog,
    expected: databaseChoice(config).named,
    runs: store,
    events: both(eventSink(config, "/dormouse/cull"), notifier(config, catalog)),
    log,
    damage: damageBook(config.BACKUP_DIR),
    retired: retiredDatabases(config.BACKUP_DIR),
    retiredGo: judge === undefined,
    mutex: inTurn(1),
    namespace: findNamespace(config.POD_NAMESPACE),
    bucket: openBucket(config, judge),
  };
  const handler = cullHandler(deps, {
    policy: readPolicy(config),
    maxRemovals: config.MAX_REMOVALS,
    adoptLimit: config.ADOPT_PER_RUN,
    minIntervalMs: config.MIN_INTERVAL_MINUTES * 60_000,
  });
  return {
    handler: { ...handler, runChecks: (signal) => runChecks(listChecks(config, deps, store), signal) },
    ...runsInPod(config, { store, log, eventsOf: () => deps.events }),
    authorize: await createAuthorizer(config),
    interrupted: await interruptedRuns({ runs: store, log, notByRecord }, "cull", handler.covers),
    authorizeEvent: createEventAuthorizer(config),
  };
}

function listChecks(config: CullConfig, deps: CullPlacesDependencies, store: RunStore): readonly Check[] {
  return [
    volumeCheck(config.BACKUP_DIR),
    backupsCheck(deps, config.STALE_HOURS),
    ...mirrorChecks(config, "cull"),
    ...callerChecks(config),
    ...notificationChecks(config, store, "cull"),
    sendersCheck(config),
  ];
}

/** The client tools are looked for when the first file of the old pod needs them. */
function printing(searchPath: string): PrintArchive {
  return async function* (archive, signal) {
    const { printArchive } = await import("../../shared/postgres/read-archive.ts");
    yield* printArchive(searchPath, archive, signal);
  };
}

/**
 * This function knows no secret by which it could seal its records, and believes none: a cull plans anew from what lies
 * there, and a mark is set by the process that was asked for it alone.
 */
function notByRecord({ request }: Run): string | undefined {
  return request["action"] === "cull" ? undefined : "ask for it again";
}

function openBucket(config: CullConfig, judge: JudgeSignature | undefined) {
  const catalog = openBucketCatalog(config);
  return (
    catalog && {
      catalog: trusting(catalog, judge),
      keep: keepPolicy(config, config.S3_NUM_BACKUPS ?? config.NUM_BACKUPS),
    }
  );
}

function readPolicy(config: CullConfig) {
  return {
    ...keepPolicy(config, config.NUM_BACKUPS),
    suspectDropPercent: config.SUSPECT_DROP_PERCENT,
    staleHours: config.STALE_HOURS,
    rehearsalStaleDays: config.REHEARSAL_STALE_DAYS,
  };
}
