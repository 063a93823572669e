import { execa } from "execa";
import { createHash } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A key that signs, and its public half. */
type SigningKey = { readonly home: string; readonly publicFile: string };

export async function signingKey(folder: string): Promise<SigningKey> {
  const [home, publicFile] = [join(folder, "gnupg"), join(folder, "public.asc")];
  await mkdir(home, { recursive: true, mode: 0o700 });
  await gpg(home, [
    "--passphrase",
    "",
    "--quick-generate-key",
    "tests@dormouse.invalid",
    "rsa3072",
    "sign",
    "never",
  ]);
  await gpg(home, ["--armor", "--output", publicFile, "--export"]);
  return { home, publicFile };
}

/**
 * What apt.postgresql.org looks like to apt, with client tools that say their version and can do nothing else. Debian's
 * package that brings the project's key is beside it, in a newer version that brings ours.
 */
export async function aptMirror(
  folder: string,
  majors: readonly number[],
  key: SigningKey,
  known: SigningKey,
) {
  const suite = join(folder, "dists/bookworm-pgdg");
  const packages: string[] = [];
  for (const major of majors) {
    const bin = `/usr/lib/postgresql/${major}/bin`;
    const tools = ["pg_dump", "pg_restore", "psql"].map((name): readonly [string, string] => [
      `${bin}/${name}`,
      `#!/bin/sh\necho "${name} (PostgreSQL) ${major}.0"\n`,
    ]);
    packages.push(await makePackage(folder, `postgresql-client-${major}`, Object.fromEntries(tools)));
  }
  await mkdir(join(suite, "main/binary-amd64"), { recursive: true });
  await writeFile(join(suite, "main/binary-amd64/Packages"), packages.join("\n"));
  await writeFile(join(suite, "Release"), releaseOf(packages.join("\n")));
  await gpg(key.home, ["--clearsign", "--output", join(suite, "InRelease"), join(suite, "Release")]);

  const asc = "/usr/share/postgresql-common/pgdg/apt.postgresql.org.asc";
  const common = join(folder, "common");
  const files = { [asc]: await readFile(known.publicFile, "utf8") };
  await mkdir(common);
  await writeFile(join(common, "Packages"), await makePackage(common, "postgresql-common", files));
}

/** Packs files and answers what the list of an archive says of the package. */
async function makePackage(folder: string, name: string, files: Readonly<Record<string, string>>) {
  const root = join(folder, `${name}.root`);
  const control = `Package: ${name}\nVersion: 999\nArchitecture: all\nMaintainer: tests\nDescription: of the tests\n`;
  for (const [path, content] of Object.entries({ ...files, "/DEBIAN/control": control })) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), content, { mode: 0o755 });
  }
  const file = `${name}_999_all.deb`;
  await execa("dpkg-deb", ["--root-owner-group", "--build", root, join(folder, file)]);
  const bytes = await readFile(join(folder, file));
  const { size } = await stat(join(folder, file));
  return `${control}Filename: ./${file}\nSize: ${size}\nSHA256: ${sha256(bytes)}\n`;
}

function releaseOf(packages: string): string {
  const list = ` ${sha256(packages)} ${Buffer.byteLength(packages)} main/binary-amd64/Packages`;
  const names = "Origin: tests\nSuite: bookworm-pgdg\nCodename: bookworm-pgdg";
  return `${names}\nDate: ${new Date().toUTCString()}\nArchitectures: amd64\nComponents: main\nSHA256:\n${list}\n`;
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

async function gpg(home: string, args: readonly string[]): Promise<void> {
  await execa("gpg", ["--homedir", home, "--batch", "--pinentry-mode", "loopback", ...args]);
}
