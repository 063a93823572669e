import { glob } from "node:fs/promises";
import { execa } from "execa";
import { DormouseError } from "../errors.ts";

/** The client tools of one PostgreSQL release in one folder. */
export type ClientTools = {
  readonly binDir: string;
  /** `15.18` */
  readonly version: string;
  readonly major: number;
  /** Set when the release lacks known security fixes. */
  readonly warning?: string | undefined;
  /** The release to install, where psql of this one knows no `\restrict` (CVE-2025-8714, CVE-2025-8715). */
  readonly unsafeBefore?: string | undefined;
};

/** Where to look: in `binDir` (PG_BIN_DIR) alone, if it is set. */
export type ToolPlace = { readonly binDir?: string | undefined; readonly searchPath: string };

/** Below these, psql or pg_restore can be made to run what a hostile dump or server says (releases of 12 November 2026). */
const SECURITY_FLOOR: Readonly<Record<number, number>> = { 15: 20, 16: 16, 17: 12, 18: 7 };
const OLDEST_MAINTAINED = 15;
/** The first releases whose psql knows `\restrict` (14 August 2025). */
const RESTRICT_SINCE: Readonly<Record<number, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 };

/** An archive of these client tools may hold the planner's statistics, and their pg_restore may be asked to leave them. */
export function hasStatistics(major: number): boolean {
  return major >= 18;
}

/**
 * The tools for a server of `serverMajor`: of the same major if there are any, else of the next newer one; never
 * older, which pg_dump itself refuses. `binDir` (PG_BIN_DIR), when given, is the only place looked at.
 */
export async function findClientTools(
  serverMajor: number,
  binDir: string | undefined,
  searchPath: string,
): Promise<ClientTools> {
  const folders = binDir === undefined ? await installedFolders(searchPath) : [binDir];
  const found = await inspectFolders(folders);
  const suitable = found.filter(({ major }) => major >= serverMajor).toSorted((a, b) => a.major - b.major);
  if (suitable[0] !== undefined) return suitable[0];

  const others = found.map(({ version, binDir: folder }) => `${version} in ${folder}`).join(", ") || "none";
  throw new DormouseError(
    "client_tools_not_found",
    `no pg_dump for a server of version ${serverMajor}: found ${others}; looked in ${folders.join(", ")}`,
    { hint: `install the PostgreSQL ${serverMajor} client tools, or set PG_BIN_DIR to their folder` },
  );
}

/** The newest there are: pg_restore reads what every older pg_dump wrote. */
export async function newestClientTools(searchPath: string): Promise<ClientTools> {
  const folders = await installedFolders(searchPath);
  const [newest] = (await inspectFolders(folders)).toSorted((a, b) => b.major - a.major);
  if (newest !== undefined) return newest;
  throw new DormouseError("client_tools_not_found", `no pg_restore is in ${folders.join(", ")}`, {
    hint: "install the PostgreSQL client tools",
  });
}

/** Where Debian and Red Hat put each major, then PATH. */
async function installedFolders(searchPath: string): Promise<string[]> {
  const folders: string[] = [];
  for await (const path of glob(["/usr/lib/postgresql/*/bin/pg_dump", "/usr/pgsql-*/bin/pg_dump"])) {
    folders.push(path.slice(0, -"/pg_dump".length));
  }
  return [...folders.toSorted(), ...searchPath.split(":").filter((folder) => folder.startsWith("/"))];
}

async function inspectFolders(folders: readonly string[]): Promise<ClientTools[]> {
  return (await Promise.all(folders.map(inspectFolder))).filter((tools) => tools !== undefined);
}

/** Both tools must be there and of one version: an archive is read by the release that wrote it. */
async function inspectFolder(binDir: string): Promise<ClientTools | undefined> {
  const [dump, restore] = await Promise.all([
    toolVersion(binDir, "pg_dump"),
    toolVersion(binDir, "pg_restore"),
  ]);
  if (dump === undefined || dump !== restore) return undefined;
  const major = Number.parseInt(dump, 10);
  return {
    binDir,
    version: dump,
    major,
    warning: securityWarning(dump, major),
    unsafeBefore: unsafeBefore(major, readMinor(dump)),
  };
}

async function toolVersion(binDir: string, tool: string): Promise<string | undefined> {
  const { stdout, failed } = await execa(`${binDir}/${tool}`, ["--version"], {
    reject: false,
    extendEnv: false,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    timeout: 10_000,
  });
  return failed ? undefined : /\(PostgreSQL\) (\d+(?:\.\d+)?)/.exec(stdout)?.[1];
}

function securityWarning(version: string, major: number): string | undefined {
  if (major < OLDEST_MAINTAINED) return `client tools ${version}: this major gets no security fixes any more`;
  const floor = SECURITY_FLOOR[major];
  const minor = readMinor(version);
  if (floor === undefined || minor >= floor) return undefined;
  return `client tools ${version} lack security fixes: use ${major}.${floor} or newer`;
}

function unsafeBefore(major: number, minor: number): string | undefined {
  if (major > 17) return undefined;
  const since = RESTRICT_SINCE[major];
  if (since === undefined) return `${OLDEST_MAINTAINED}.${RESTRICT_SINCE[OLDEST_MAINTAINED]}`;
  return minor >= since ? undefined : `${major}.${since}`;
}

function readMinor(version: string): number {
  return Number(version.split(".")[1] ?? 0);
}
