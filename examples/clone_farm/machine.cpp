// SPDX-License-Identifier: MIT
#include "machine.hpp"

#include "../qemu_guest/arguments.hpp"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace clone_farm {
namespace {

std::vector<std::string> command_line_of(const arguments& given, const std::string& folder, const std::string& name,
                                         const std::string& memory, const std::vector<std::string>& more) {
    const auto socket = [&](const char* kind) { return "unix:" + folder + "/" + name + kind + ",server=on,wait=off"; };
    std::vector<std::string> all{"qemu-system-x86_64",
                                 "-accel",
                                 "tcg,tb-size=32",
                                 "-m",
                                 std::to_string(given.mib) + "M",
                                 "-object",
                                 memory,
                                 "-machine",
                                 "pc,memory-backend=ram,usb=off,hpet=off",
                                 "-nodefaults",
                                 "-no-user-config",
                                 "-display",
                                 "none",
                                 "-no-reboot",
                                 "-kernel",
                                 given.kernel,
                                 "-initrd",
                                 given.folder + "/clone_farm_initrd",
                                 "-append",
                                 "console=ttyS0 quiet panic=-1 fill_mib=" + std::to_string(given.fill_mib),
                                 "-serial",
                                 socket(".serial"),
                                 "-qmp",
                                 socket(".qmp")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

void stop_if_interrupted() {
    if (qemu_guest::was_interrupted != 0) {
        throw qemu_guest::interrupted();
    }
}

std::string last_line(const std::string& text) {
    const auto end = text.find_last_not_of("\r\n");
    const std::string whole = text.substr(0, end == std::string::npos ? 0 : end + 1);
    return whole.empty() ? "nothing" : whole.substr(whole.find_last_of('\n') + 1);
}

} // namespace

std::string await_line(child& program, std::size_t& from, const std::string& part, unsigned most) {
    for (const steady::time_point start = steady::now();;) {
        program.read_output();
        const std::string& text = program.text();
        const auto at = text.find(part, from);
        const auto end = at == std::string::npos ? at : text.find('\n', at);
        if (end != std::string::npos) {
            const auto before = text.rfind('\n', at);
            const std::size_t first = before == std::string::npos ? 0 : before + 1;
            from = end + 1;
            return text.substr(first, end - first);
        }
        if (program.has_ended()) {
            const std::string why = last_line(text);
            if (why.find("skipped") != std::string::npos) {
                throw unavailable(why);
            }
            throw failure("a program ended before it said '" + part + "': " + why);
        }
        if (seconds_since(start) > most) {
            throw failure("no '" + part + "' came within " + std::to_string(most) + " s");
        }
        stop_if_interrupted();
        pollfd wanted{program.output(), POLLIN, 0};
        poll(&wanted, 1, 100);
    }
}

machine::machine(const arguments& given, const std::string& folder, const std::string& name, const std::string& memory,
                 const std::vector<std::string>& more, const std::vector<std::string>& settings)
    : seconds_{given.seconds}, name_{name}, qemu_{command_line_of(given, folder, name, memory, more), settings},
      monitor_{connect(folder + "/" + name + ".qmp")}, serial_{connect(folder + "/" + name + ".serial")},
      from_monitor_{}, from_guest_{} {
    static_cast<void>(next_line(monitor_.get(), from_monitor_, "QMP"));
    command("qmp_capabilities");
}

void machine::look_after() {
    stop_if_interrupted();
    qemu_.read_output();
    if (qemu_.has_ended()) {
        throw failure("the guest " + name_ + " ended; QEMU said: " + last_line(qemu_.text()));
    }
}
unique_fd machine::connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        throw failure(path + ": longer than a socket's path can be");
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    for (const steady::time_point start = steady::now(); seconds_since(start) < seconds_; usleep(5'000)) {
        unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            return fd;
        }
        look_after();
    }
    throw failure("QEMU does not listen on " + path);
}
std::string machine::next_line(int fd, std::string& text, const std::string& part) {
    for (const steady::time_point start = steady::now(); seconds_since(start) < seconds_;) {
        for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
            const std::string line = text.substr(0, end);
            text.erase(0, end + 1);
            if (line.find(part) != std::string::npos) {
                return line;
            }
        }
        look_after();
        pollfd wanted{fd, POLLIN, 0};
        char bytes[4096];
        if (poll(&wanted, 1, 100) > 0) {
            const ssize_t got = read(fd, bytes, sizeof bytes);
            if (got > 0) {
                text.append(bytes, static_cast<std::size_t>(got));
            } else if (got == 0) {
                usleep(10'000); // it ends, and says why
            }
        }
    }
    throw failure("the guest " + name_ + " did not say '" + part + "' within " + std::to_string(seconds_) + " s");
}

void machine::say(const std::string& line) const {
    const std::string text = line + "\n";
    if (send(serial_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
        throw failure("the guest " + name_ + " has no serial line: " + std::strerror(errno));
    }
}
std::string machine::hear(const std::string& part) { return next_line(serial_.get(), from_guest_, part); }

std::string machine::command(const std::string& name, const std::string& values) {
    const std::string text =
        R"({"execute":")" + name + "\"" + (values.empty() ? "" : ",\"arguments\":" + values) + "}\n";
    if (send(monitor_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
        throw failure("QEMU's monitor is gone");
    }
    for (;;) { // events come in between
        const std::string line = next_line(monitor_.get(), from_monitor_, "{");
        if (line.find(R"("error":)") != std::string::npos) {
            throw failure("QEMU refuses " + name + ": " + line);
        }
        if (line.find(R"("return":)") != std::string::npos) {
            return line;
        }
    }
}
std::string machine::command_until(const std::string& name, const std::string& part) {
    for (const steady::time_point start = steady::now(); seconds_since(start) < seconds_; usleep(5'000)) {
        const std::string answer = command(name);
        if (answer.find(part) != std::string::npos) {
            return answer;
        }
        if (answer.find(R"("failed")") != std::string::npos) {
            throw failure("QEMU says to " + name + ": " + answer);
        }
    }
    throw failure("QEMU does not say '" + part + "' to " + name);
}
void machine::quit() {
    qemu_.send(SIGTERM);
    for (const steady::time_point start = steady::now(); !qemu_.has_ended() && seconds_since(start) < 10;) {
        qemu_.read_output();
        usleep(5'000);
    }
}

} // namespace clone_farm
