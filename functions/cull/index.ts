import { DormouseError } from "../../shared/errors.ts";
import { runFunction } from "../run-function.ts";
import { cullConfig } from "./config.ts";

runFunction({
  name: "cull",
  schema: cullConfig,
  check({ AUTH, AUTH_TOKEN_FILE }) {
    if (AUTH !== "token" || AUTH_TOKEN_FILE !== undefined) return;
    throw new DormouseError("configuration_invalid", "AUTH=token needs AUTH_TOKEN_FILE", {
      hint: "docs/configuration.md describes each variable",
    });
  },
  load: async (config, surroundings) => (await import("./service.ts")).cullService(config, surroundings),
});
