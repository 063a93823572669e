import type * as z from "zod/mini";
import { openVolume } from "../catalog/volume/open-volume.ts";
import { limitVolumeCalls, volumeWatch } from "../catalog/volume/volume-calls.ts";
import { jsonLog, type Log } from "../log.ts";
import { readConfig, type ConfigSchema, type Environment } from "../config/config.ts";
import { readKeyFile } from "../config/key-file.ts";
import { checkMail } from "../config/notify-config.ts";
import { withProxies } from "../config/proxy-config.ts";
import { serve, startFunction } from "./serve.ts";
import type { ServeConfig, Service } from "./service.ts";

/** What a function is given beside its configuration. */
export type ProcessContext = {
  readonly log: Log;
  /** PATH, where client tools may lie. */
  readonly searchPath: string;
};

type Common = ServeConfig & { readonly VOLUME_TIMEOUT_SECONDS: number };

type Loading<Schema extends ConfigSchema> = {
  readonly name: "backup" | "cull" | "restore";
  readonly schema: Schema;
  /** Throws what is wrong with a configuration of which each variable is right by itself. */
  readonly check?: (config: z.output<Schema>, environment: Environment, log: Log) => void | Promise<void>;
  /** Imports what the function needs, and wires it. Connections are accepted while it loads. */
  readonly load: (config: z.output<Schema>, surroundings: ProcessContext) => Promise<Service>;
};

/** Reads the environment, looks at the volume, listens, and loads the rest. */
export function runFunction<Schema extends ConfigSchema>({
  name,
  schema,
  check,
  load,
}: Loading<Schema>): void {
  const log = jsonLog((line) => process.stdout.write(line), { function: name });
  // What lies on the volume is for the pod's group as well.
  process.umask(0o007);
  void startFunction(log, async () => {
    const environment = withProxies(process.env);
    const config = readConfig(schema, environment, readKeyFile);
    await check?.(config, environment, log);
    const common = config as unknown as Common;
    checkMail(common);
    limitVolumeCalls(common.VOLUME_TIMEOUT_SECONDS * 1000);
    await openVolume(common.BACKUP_DIR);
    await serve({ log, config: common, trouble: volumeWatch(common.BACKUP_DIR) }, () =>
      load(config, { log, searchPath: process.env["PATH"] ?? "" }),
    );
  });
}
