import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import {
  lostTexts,
  type DatabaseProperties,
} from "../../../shared/postgres/properties/database-properties.ts";
import { settingText } from "../../../shared/postgres/properties/refused-settings.ts";
import type { TargetFacts } from "../../../shared/postgres/properties/target-facts.ts";
import { EFFECTS, type Strategy } from "./strategy.ts";

/** What comes back otherwise than it was: most of all, what is loaded as the live database is. */
export function likenessWarnings(
  strategy: Strategy,
  facts: TargetFacts,
  manifest: BackupManifest | undefined,
): string[] {
  const like = facts.live ?? manifest?.properties;
  return [
    ...propertyWarnings(facts, manifest?.properties),
    ...settingWarnings(facts, manifest),
    ...(like === undefined ? [] : lostTexts(like)),
    ...subscriptionWarnings(manifest),
    ...(facts.otherVersions.length === 0
      ? []
      : [
          `extensions come back in the version that this server makes by itself: ${facts.otherVersions.join(", ")}`,
        ]),
    // What a rehearsal makes is dropped again.
    ...(EFFECTS[strategy].drops ? [] : keptWarnings(strategy, facts, manifest?.properties)),
  ];
}

function propertyWarnings(
  { live, collationVersion }: TargetFacts,
  noted: DatabaseProperties | undefined,
): string[] {
  if (noted === undefined) return [];
  const kinds = ["encoding", "localeProvider", "collate", "ctype", "locale", "icuRules"] as const;
  const differing = live === undefined ? [] : kinds.filter((kind) => live[kind] !== noted[kind]);
  const { collationVersion: before } = noted;
  return [
    ...differing.map(
      (kind) => `the live database has the ${kind} ${live?.[kind]}, the backup ${noted[kind]}`,
    ),
    ...(before === undefined || collationVersion === undefined || before === collationVersion
      ? []
      : [
          `text was sorted by version ${before} of its collation and is by ${collationVersion} here: ` +
            "indexes are built anew, partitions by ranges of text may refuse rows",
        ]),
  ];
}

/** A session has the settings of its database, too. */
function settingWarnings(
  { live, uncarriedSettings }: TargetFacts,
  manifest: BackupManifest | undefined,
): string[] {
  const ofDatabase = (live ?? manifest?.properties)?.settings.filter(({ role }) => role === undefined) ?? [];
  const asNoted = ofDatabase.filter(({ name, value }) => (manifest?.settings?.[name] ?? value) === value);
  const lacking = uncarriedSettings.filter((name) => !asNoted.some((setting) => setting.name === name));
  return lacking.length === 0
    ? []
    : [
        `the load cannot be given settings that the owner of the database has: ${lacking.join(", ")}; ` +
          "what a CHECK, a function or a materialized view makes of them may be refused or differ: ALTER DATABASE ... SET gives them to each session",
      ];
}

function subscriptionWarnings(manifest: BackupManifest | undefined): string[] {
  const names = manifest?.lacks.find(({ kind }) => kind === "subscriptions")?.names ?? [];
  return names.length === 0
    ? []
    : [
        `subscriptions do not come back, so that nothing replicates into it twice: ${names.join(", ")}; CREATE SUBSCRIPTION them by hand`,
      ];
}

/** An empty database that was made in a hurry has none of what belonged to the lost one. */
function keptWarnings(
  strategy: Strategy,
  { live, refusedSettings }: TargetFacts,
  noted: DatabaseProperties | undefined,
): string[] {
  const makes = EFFECTS[strategy].loads !== undefined;
  const differing =
    live === undefined || noted === undefined ? [] : differences(live, noted, refusedSettings);
  return [
    ...(differing.length === 0
      ? []
      : [
          `what belongs to the database stays as the live one has it, otherwise than in the backup: ${differing.join(", ")}; ` +
            "where the backup is right, rename the live database or drop it: without one it is made as the backup notes it",
        ]),
    ...(makes && refusedSettings.length > 0
      ? [
          `settings of the database that this server does not take are left out: ${refusedSettings.join(", ")}`,
        ]
      : []),
  ];
}

function differences(
  live: DatabaseProperties,
  noted: DatabaseProperties,
  refused: readonly string[],
): string[] {
  const scalars = ["owner", "tablespace", "connectionLimit", "isTemplate", "comment"] as const;
  const lists = ["grants", "labels"] as const;
  const texts = (settings: DatabaseProperties["settings"]) =>
    new Map(settings.map((setting) => [settingText({ ...setting, value: "" }), settingText(setting)]));
  const [here, there] = [texts(live.settings), texts(noted.settings)];
  const names = [...new Set([...here.keys(), ...there.keys()])].filter(
    (name) => here.get(name) !== there.get(name) && !refused.includes(here.get(name) ?? ""),
  );
  return [
    ...scalars.filter((kind) => live[kind] !== noted[kind]),
    ...lists.filter((kind) => inAnyOrder(live[kind]) !== inAnyOrder(noted[kind])),
    ...names.map((name) => `setting ${name.replace(" = ", "")}`),
  ];
}

function inAnyOrder(list: readonly object[] | undefined): string | undefined {
  return list
    ?.map((each) => JSON.stringify(each, Object.keys(each).toSorted()))
    .toSorted()
    .join();
}
