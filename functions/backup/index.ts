import { readFileSync } from "node:fs";
import { openVolume } from "../../shared/catalog/open-volume.ts";
import { jsonLog } from "../../shared/log.ts";
import { readConfig } from "../../shared/runtime/config.ts";
import { serve, startFunction } from "../../shared/runtime/serve.ts";
import { version } from "../../shared/version.ts";
import { refuseMisfits } from "../refuse-misfits.ts";
import { backupConfig } from "./config.ts";

const log = jsonLog(
  (line) => process.stdout.write(line),
  () => new Date(),
  { function: "backup" },
);

async function main(): Promise<void> {
  const config = readConfig(backupConfig, process.env, (path) => readFileSync(path, "utf8"));
  await openVolume(config.BACKUP_DIR);
  await refuseMisfits(config, log);
  const { PORT: port, SHUTDOWN_GRACE_SECONDS } = config;
  const entrance = { log, port, shutdownGraceMs: SHUTDOWN_GRACE_SECONDS * 1000, version };
  // Imported only now: connections are accepted while it loads.
  await serve(entrance, async () => {
    const { backupService } = await import("./service.ts");
    return backupService(config, log, process.env["PATH"] ?? "");
  });
}

void startFunction(log, main);
