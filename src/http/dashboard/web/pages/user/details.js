// @ts-check
// The seed's sections in its order. Recent changes come with the history, as a fourth entry here.

import { identitySection } from "./identity.js";
import { MetadataSection } from "./metadata.js";
import { providerSection } from "./provider.js";

/** @param {import("../user.js").Shared} shared @returns {Promise<import("../user.js").Tab>} */
export async function detailsTab(shared) {
  const metadata = new MetadataSection(shared);
  const sections = [identitySection(shared), metadata.node, providerSection(shared, (key, raw) => metadata.override(key, raw))];
  return { node: sections, save: () => metadata.shortcut(), isDirty: () => metadata.isDirty(), close: () => metadata.close() };
}
