import { invalidConfiguration } from "../../config/config.ts";
import type { SslMode } from "../../config/database-config.ts";
import type { ConnectionSettings } from "./connection.ts";

/** A server that is there answers at once; one that is not is asked again within the run. */
const CONNECT_TIMEOUT_MS = 10_000;

/** The variables of the environment that say how the database is reached, once parsed. */
export type DatabaseVariables = {
  readonly DATABASE_SERVICE_NAME: string;
  readonly PGPORT: number;
  readonly POSTGRESQL_USER: string;
  readonly POSTGRESQL_PASSWORD: string;
  readonly PGSSLMODE: SslMode;
  readonly PGSSLROOTCERT?: string | undefined;
  readonly PGSSLCERT?: string | undefined;
  readonly PGSSLKEY?: string | undefined;
  readonly MAINTENANCE_DATABASE: string;
};

/** Throws `configuration_invalid` for what does not fit together. */
export function connectionSettings(variables: DatabaseVariables): ConnectionSettings {
  const { PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, PGSSLKEY } = variables;
  if (PGSSLMODE.startsWith("verify-")) pairOf({ [`PGSSLMODE=${PGSSLMODE}`]: PGSSLMODE, PGSSLROOTCERT });
  if (PGSSLCERT !== undefined || PGSSLKEY !== undefined) pairOf({ PGSSLCERT, PGSSLKEY });
  return {
    host: variables.DATABASE_SERVICE_NAME,
    port: variables.PGPORT,
    user: variables.POSTGRESQL_USER,
    password: variables.POSTGRESQL_PASSWORD,
    sslMode: variables.PGSSLMODE,
    sslRootCert: variables.PGSSLROOTCERT,
    sslCert: variables.PGSSLCERT,
    sslKey: variables.PGSSLKEY,
    maintenanceDatabase: variables.MAINTENANCE_DATABASE,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  };
}

function pairOf(given: Readonly<Record<string, string | undefined>>): void {
  const isSet = (name: string) => given[name] !== undefined;
  const [set, unset] = [Object.keys(given).find(isSet), Object.keys(given).find((name) => !isSet(name))];
  if (unset !== undefined) throw invalidConfiguration(`${set} needs ${unset}`);
}
