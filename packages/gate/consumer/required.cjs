const { createGate, memoryStore } = require("@earshot/gate");

console.log(typeof createGate, typeof memoryStore);
