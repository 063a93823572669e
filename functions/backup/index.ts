import { validateKeysAndBucket } from "../../shared/catalog/encryption/validate-keys-and-bucket.ts";
import { runFunction } from "../../shared/function/run-function.ts";
import { backupConfig } from "./config.ts";
import { checkAuth } from "../../shared/config/auth-config.ts";

runFunction({
  name: "backup",
  schema: backupConfig,
  async check(config, _environment, log) {
    checkAuth(config);
    await validateKeysAndBucket(config, log);
  },
  load: async (config, surroundings) => (await import("./service.ts")).backupService(config, surroundings),
});
