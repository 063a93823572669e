import type { RunsDependencies } from "../run/carry-out.ts";
import { runsOf, type Runs } from "../run/runs.ts";
import type { ServeConfig } from "./service.ts";
import { stayAwake, type StayAwake } from "./stay-awake.ts";

export type RunsInPod = {
  readonly runs: Runs;
  /** On Knative alone. */
  readonly awake: StayAwake | undefined;
};

/** Runs that keep their pod while they are active, where there is somebody who takes it away: Knative. */
export function runsInPod(config: ServeConfig, dependencies: RunsDependencies): RunsInPod {
  const { K_SERVICE, K_EVENT_PATH, HOLD_URL, TIMEOUT_SECONDS } = config;
  const isOnKnative = K_SERVICE !== undefined && K_EVENT_PATH === undefined;
  const settings = {
    proxyUrl: HOLD_URL,
    timeoutMs: TIMEOUT_SECONDS * 1000,
    monotonicMs: () => performance.now(),
  };
  const awake = isOnKnative ? stayAwake(settings, dependencies.log) : undefined;
  return { runs: runsOf({ ...dependencies, whileActive: awake?.whileActive }), awake };
}
