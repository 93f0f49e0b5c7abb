import ArgumentParser

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A command that is an executable of its own.
protocol RootCommand: ParsableCommand {}

extension RootCommand {
    /// The parser's own mistakes begin like all others.
    static var _errorLabel: String { "error" }
}

/// The four executables, each of which is one call.
public enum CommandLineTool {
    public static func detent() -> Never { run(DetentCommand.self) }
    public static func quantize() -> Never { run(QuantizeCommand.self) }
    public static func convert() -> Never { run(ConvertCommand.self) }
    public static func evalppl() -> Never { run(EvaluateCommand.self) }

    /// Parses the process's arguments, runs the command they name, and ends the process.
    private static func run(_ root: any RootCommand.Type) -> Never {
        Interruption.watch()
        exit(run(root, arguments: Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    private static func run(
        _ root: any RootCommand.Type, arguments: [String]
    ) -> ExitStatus {
        let isQuantize = root == QuantizeCommand.self || arguments.first == "quantize"
        let prefix = root == QuantizeCommand.self ? 0 : 1
        let expansion: RecipeExpansion?
        do {
            expansion = isQuantize ? try RecipeExpansion(Array(arguments.dropFirst(prefix))) : nil
        } catch {
            let failure = Failure(error)
            return say(failure.text, on: .error) ?? failure.status
        }
        let arguments =
            arguments.prefix(prefix)
            + (expansion?.arguments ?? arguments.dropFirst(prefix).map(\.self))
        var command: any ParsableCommand
        do {
            command = try root.parseAsRoot(Array(arguments))
        } catch {
            return report(error, of: root)
        }
        do {
            try RecipeOptions.$current.withValue(expansion?.options ?? RecipeOptions()) {
                try command.run()
            }
            return .success
        } catch {
            // Asking for help is a command to the parser, and its screen an error.
            if root.exitCode(for: error) != .failure { return report(error, of: root) }
            let failure = Failure(error)
            return say(failure.text, on: .error) ?? failure.status
        }
    }

    /// Prints what the argument parser has to say: help and version on standard output, mistakes on
    /// standard error.
    private static func report(
        _ error: any Error, of root: any RootCommand.Type
    ) -> ExitStatus {
        let message = root.fullMessage(for: error)
        let isMistake = root.exitCode(for: error) != .success
        let status = say(
            message.hasSuffix("\n") ? message : message + "\n", on: isMistake ? .error : .output)
        return status ?? (isMistake ? .usage : .success)
    }

    /// Writes, and returns the status to end with where even that fails.
    private static func say(_ text: String, on stream: StandardStream) -> ExitStatus? {
        do {
            try stream.write(text)
            return nil
        } catch {
            return .inputOutput
        }
    }
}
