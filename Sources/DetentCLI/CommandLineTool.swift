import ArgumentParser

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The four executables, each of which is one call.
public enum CommandLineTool {
    public static func detent() -> Never { run(DetentCommand.self) }
    public static func quantize() -> Never { run(QuantizeCommand.self) }
    public static func convert() -> Never { run(ConvertCommand.self) }
    public static func evalppl() -> Never { run(EvaluateCommand.self) }

    /// Parses the process's arguments, runs the command they name, and ends the process.
    private static func run(_ root: any ParsableCommand.Type) -> Never {
        Interruption.watch()
        exit(run(root, arguments: Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    private static func run(
        _ root: any ParsableCommand.Type, arguments: [String]
    ) -> ExitStatus {
        var command: any ParsableCommand
        do {
            command = try root.parseAsRoot(arguments)
        } catch {
            return report(error, of: root)
        }
        do {
            try command.run()
            return .success
        } catch {
            // Help asked for by running a command that only has subcommands.
            if error is CleanExit { return report(error, of: root) }
            let failure = Failure(error)
            return say(failure.text, on: .error) ?? failure.status
        }
    }

    /// Prints what the argument parser has to say: help and version on standard output, mistakes on
    /// standard error.
    private static func report(
        _ error: any Error, of root: any ParsableCommand.Type
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
