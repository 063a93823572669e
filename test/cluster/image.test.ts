import assert from "node:assert/strict";
import { execa } from "execa";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { findBuilder } from "../../scripts/image/builder.ts";
import { temporaryFolder, type Removed } from "../support/volume.ts";
import { aptMirror, signingKey } from "./support/apt-mirror.ts";
import { kubectl } from "./support/kubectl.ts";
import { imageEnvironment } from "../support/dockerfile.ts";
import { IMAGE } from "./support/kustomization.ts";

const MAJORS = [13, 14, 15, 16, 17, 18];
const BUILT = "dev.local/dormouse-mirrored:dev";
const TOOLS = ["pg_dump", "pg_restore", "psql"];
/** Holds a mirror of apt.postgresql.org, as small as can be: it is out of reach where the tests run. */
const BASE = `FROM docker.io/library/debian:bookworm-slim
COPY mirror /mirror
RUN echo "deb [trusted=yes] file:/mirror/common ./" >/etc/apt/sources.list.d/tests.list
`;

describe("the Dockerfile", () => {
  let folder: Removed;
  before(async () => {
    folder = await temporaryFolder();
  });
  after(() => folder?.[Symbol.asyncDispose]());

  /** A base image with a mirror that is signed with one key, where Debian's package brings the same or another. */
  async function mirrored(name: string, isSignedByAnother: boolean): Promise<string> {
    const context = join(folder.path, name);
    await mkdir(join(context, "mirror"), { recursive: true });
    const key = await signingKey(join(folder.path, `${name}-key`));
    const known = isSignedByAnother ? await signingKey(join(folder.path, `${name}-other`)) : key;
    await aptMirror(join(context, "mirror"), MAJORS, key, known);
    await writeFile(join(context, "Dockerfile"), BASE);
    const image = `dev.local/dormouse-${name}:dev`;
    await (await findBuilder()).build(image, context, ["--pull=never"]);
    return image;
  }

  const optionsOf = (base: string, ...more: readonly string[]) => {
    const given = [`BASE_IMAGE=${base}`, "PG_SOURCE=file:/mirror", ...more];
    return ["--pull=never", ...given.flatMap((argument) => ["--build-arg", argument])];
  };
  /** Of what the build before has made ready. */
  const buildAgain = async (base: string, major: number) => {
    const { program } = await findBuilder();
    const options = optionsOf(base, `PG_MAJORS=${major}`);
    return execa(program, ["build", "--tag", BUILT, ...options, "."], { reject: false, all: true });
  };

  it("takes the client tools of 13 to 18 from a mirror of the PostgreSQL project's packages", async () => {
    const base = await mirrored("mirror", false);

    const args = ["run", "image", "--", BUILT, ...optionsOf(base)];
    const { exitCode, all } = await execa("npm", args, { reject: false, all: true });

    assert.equal(exitCode, 0, all.slice(-2000));
    for (const tool of TOOLS)
      for (const major of MAJORS)
        assert.match(all, new RegExp(`^${tool} \\(PostgreSQL\\) ${major}\\.0$`, "m"));

    const { exitCode: missing, all: said } = await buildAgain(base, 19);
    assert.notEqual(missing, 0);
    assert.match(said, /^The package source has no PostgreSQL 19: choose others in PG_MAJORS/m);
  });

  it("refuses a mirror that the PostgreSQL project did not sign", async () => {
    const { exitCode, all } = await buildAgain(await mirrored("stranger", true), 17);

    assert.notEqual(exitCode, 0);
    assert.match(all, /bookworm-pgdg InRelease' is not signed|NO_PUBKEY/);
  });
});

describe("the image on a cluster", () => {
  it("gives its environment to each process", async () => {
    const name = `dormouse-environment-${process.pid}`;
    await kubectl(`run ${name} -n default --image=${IMAGE} --restart=Never --command -- env`);
    await kubectl(`wait -n default pod/${name} --for=jsonpath={.status.phase}=Succeeded --timeout=180s`);

    const said = (await kubectl(`logs -n default ${name}`)).split("\n");
    await kubectl(`delete pod -n default ${name}`);

    for (const [variable, value] of Object.entries(await imageEnvironment()))
      assert.ok(said.includes(`${variable}=${value}`), variable);
  });
});
