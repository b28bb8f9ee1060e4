// @ts-check
// The seed's sections in its order, and below them what was changed last.

import * as past from "../../lib/past.js";
import { recentSection } from "../past/recent.js";
import { identitySection } from "./identity.js";
import { MetadataSection } from "./metadata.js";
import { providerSection } from "./provider.js";

/** @param {import("../../lib/tabs.js").Shared} shared @returns {Promise<import("../../lib/tabs.js").Tab>} */
export async function detailsTab(shared) {
  const metadata = new MetadataSection(shared);
  const sections = [identitySection(shared), metadata.node, providerSection(shared, (key, raw) => metadata.override(key, raw)), past.isKept() && recentSection(shared)];
  return { node: sections, save: () => metadata.shortcut(), isDirty: () => metadata.isDirty(), isBusy: () => metadata.isBusy, isBehind: () => metadata.isBehind(), close: () => metadata.close() };
}
