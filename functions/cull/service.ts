import type { Authorize } from "../../shared/backup/authorize.ts";
import { keepReserve, withReserve } from "../../shared/catalog/reserve.ts";
import { runFiles } from "../../shared/catalog/run-files.ts";
import { volumeCatalog } from "../../shared/catalog/volume-catalog.ts";
import { DormouseError } from "../../shared/errors.ts";
import { eventSink } from "../../shared/events/event-sink.ts";
import type { CullVolumeDependencies } from "../../shared/operations/cull-volume.ts";
import { oneAtATime } from "../../shared/operations/exclusively.ts";
import { interruptedRuns } from "../../shared/operations/resume-runs.ts";
import { runsOf } from "../../shared/runtime/runs.ts";
import type { Service } from "../../shared/runtime/serve.ts";
import { noAuth, tokenAuth } from "../../shared/runtime/token-auth.ts";
import { version } from "../../shared/version.ts";
import type { Surroundings } from "../run-function.ts";
import type { CullConfig } from "./config.ts";
import { cullHandler } from "./handler.ts";

const now = () => new Date();
/** Wires what culling needs: the volume. */
export async function cullService(config: CullConfig, { log }: Surroundings): Promise<Service> {
  await keepReserve(config.BACKUP_DIR, log);
  const store = withReserve(runFiles(config.BACKUP_DIR, log, now), config.BACKUP_DIR, log);
  const deps: CullVolumeDependencies = {
    place: "volume",
    catalog: volumeCatalog(config.BACKUP_DIR),
    runs: store,
    events: eventSink(config.K_SINK, config.K_CE_OVERRIDES, "/dormouse/cull", now),
    log,
    now,
    exclusively: oneAtATime(),
    version,
  };
  return {
    handler: cullHandler(deps, {
      policy: policyOf(config),
      maxRemovals: config.MAX_REMOVALS,
      adoptLimit: config.ADOPT_PER_RUN,
    }),
    runs: runsOf({ store, log, now }),
    authorize: await authorizeOf(config),
    interrupted: await interruptedRuns({ runs: store, log, now }, "cull"),
  };
}

/** `AUTH=kubernetes` is not for this function: it has no account to ask with. */
async function authorizeOf({ AUTH, AUTH_TOKEN_FILE }: CullConfig): Promise<Authorize> {
  if (AUTH === "none") return noAuth;
  if (AUTH_TOKEN_FILE !== undefined) return tokenAuth(AUTH_TOKEN_FILE);
  throw new DormouseError("configuration_invalid", "AUTH=token needs AUTH_TOKEN_FILE", {
    hint: "docs/configuration.md describes each variable",
  });
}

function policyOf(config: CullConfig) {
  return {
    newest: config.NUM_BACKUPS,
    daily: config.KEEP_DAILY,
    weekly: config.KEEP_WEEKLY,
    monthly: config.KEEP_MONTHLY,
    yearly: config.KEEP_YEARLY,
    withinDays: config.KEEP_WITHIN_DAYS,
    timeZone: config.RETENTION_TZ,
    suspectDropPercent: config.SUSPECT_DROP_PERCENT,
  };
}
