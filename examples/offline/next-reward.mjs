import "./next-reward.js";

export const { begin, due, step } = globalThis.nextReward;
