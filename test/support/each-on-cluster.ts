import { afterEach, beforeEach } from "node:test";
import { startRestoreCluster, type RestoreCluster } from "./restore-cluster.ts";
import { setRestoreStage, type RestoreStage } from "./restore-stage.ts";

/** Gives each test of a suite a stage and a cluster of its own. */
export function eachOnCluster(
  take: (given: { readonly stage: RestoreStage; readonly cluster: RestoreCluster }) => void,
): void {
  let given: { readonly stage: RestoreStage; readonly cluster: RestoreCluster };
  beforeEach(async () => {
    given = { stage: await setRestoreStage(), cluster: await startRestoreCluster() };
    take(given);
  });
  afterEach(async () => {
    await given.stage[Symbol.asyncDispose]();
    await given.cluster[Symbol.asyncDispose]();
  });
}
