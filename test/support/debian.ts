import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { execa } from "execa";

/** Debian's packages ask it whether their service may start; 101 is no (invoke-rc.d(8)). */
const POLICY = "/usr/sbin/policy-rc.d";

/**
 * Why a program of a Debian package is not there, or nothing. Where it may, it installs the package first, and starts no
 * service of its.
 */
export async function lackOfProgram(packageName: string, program: string): Promise<string | undefined> {
  if (existsSync(program)) return undefined;
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version"))
    return `${program} is missing: install ${packageName}`;
  const isOurs = !existsSync(POLICY);
  if (isOurs) await writeFile(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const apt = (...args: string[]) =>
      execa("apt-get", ["-o", "DPkg::Lock::Timeout=300", ...args], {
        env: { DEBIAN_FRONTEND: "noninteractive" },
      });
    const install = () => apt("install", "--yes", "--no-install-recommends", packageName);
    // The lists are missing on a fresh machine only.
    await install().catch(async () => {
      await apt("update");
      await install();
    });
    return existsSync(program) ? undefined : `${packageName} has no ${program}`;
  } catch (error) {
    return `apt-get cannot install ${packageName}: ${String(error).slice(0, 200)}`;
  } finally {
    if (isOurs) await rm(POLICY, { force: true });
  }
}
