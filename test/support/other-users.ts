import { join } from "node:path";
import { execa } from "execa";
import type { User } from "./function-process.ts";
import { sharedServer } from "./postgres.ts";

/** Why no function can run as another user here. */
export async function whyNoOtherUsers(user: User): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root starts a process as another user";
  const { binDir } = await sharedServer();
  const may = async (program: string, argument: string) =>
    !(await execa(program, [argument], { ...user, stdout: "ignore", reject: false })).failed;
  if (!(await may("cat", "package.json"))) return "other users may not read this folder";
  return (await may(join(binDir, "pg_dump"), "--version"))
    ? undefined
    : "other users may not run these client tools, as in the root folders of the matrix";
}
