// Types of the operations in src/, from the gateway's own schema.
import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema.graphql",
  documents: ["src/*.ts"],
  emitLegacyCommonJSImports: false,
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: "documentNode",
        enumsAsTypes: true,
        onlyOperationTypes: true,
        useTypeImports: true,
        defaultScalarType: "unknown",
        scalars: {
          Address: "`0x${string}`",
          CID: "string",
          DateTime: "string",
          Hex: "`0x${string}`",
          JSON: "unknown",
        },
      },
    },
  },
};
export default config;
