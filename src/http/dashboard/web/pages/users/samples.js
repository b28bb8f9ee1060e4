// @ts-check
// People nobody is, for who has no users yet to try things with: the same each time.

import { importMade } from "./import.js";

const CONNECTION = "Username-Password-Authentication";
const COUNT = 100;
const GIVEN = ["Ada", "Ben", "Chloe", "Daniel", "Elif", "Farid", "Grace", "Hugo", "Ines", "Jonas"];
const FAMILY = ["Almeida", "Brandt", "Chen", "Dubois", "Eriksen", "Fischer", "Garcia", "Hansen", "Ivanova", "Jensen"];
const HOBBIES = ["sailing", "chess", "climbing", "painting", "running"];
const CITIES = ["Aarhus", "Lisbon", "Lyon", "Vienna"];
const PLANS = ["free", "free", "pro", "gold"];

/** @param {number} at */
function sample(at) {
  const [given, family] = [GIVEN[at % GIVEN.length], FAMILY[Math.floor(at / GIVEN.length) % FAMILY.length]];
  return {
    user_id: `sample-${String(at + 1).padStart(3, "0")}`, email: `${given}.${family}@example.com`.toLowerCase(), email_verified: at % 5 !== 0, name: `${given} ${family}`, given_name: given, family_name: family,
    user_metadata: { hobby: HOBBIES[at % HOBBIES.length], theme: at % 2 === 0 ? "dark" : "light", addresses: { home: { city: CITIES[at % CITIES.length] } } },
    app_metadata: { plan: PLANS[at % PLANS.length], seats: (at % 12) + 1, roles: at % 7 === 0 ? ["editor", "viewer"] : ["viewer"] },
  };
}

/** Puts them in, in test mode, where a tenant has nobody. @param {import("../../app.js").Place} place */
export const loadSamples = (place) => importMade(Array.from({ length: COUNT }, (_, at) => sample(at)), CONNECTION, place);
