import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import type { DatabaseProperties } from "../../../shared/postgres/properties/database-properties.ts";
import type { TargetFacts } from "../../../shared/postgres/properties/target-facts.ts";

/** What is loaded as the live database is, though the backup was taken of one that was otherwise. */
export function likenessWarnings(facts: TargetFacts, manifest: BackupManifest | undefined): string[] {
  return [...propertyWarnings(facts, manifest?.properties), ...settingWarnings(facts, manifest)];
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
