/** Of Dormouse; the test beside it keeps it equal to package.json's. */
export const version = "0.1.0";
